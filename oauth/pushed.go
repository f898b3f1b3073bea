package oauth

import (
	"context"
	"time"
)

// Pushed is an authorization request that a client left with the server and
// names by a request_uri (RFC 9126). It is judged and belongs to that client.
type Pushed struct {
	Tenant string
	// Hash is the keyed hash of the secret in the request_uri.
	Hash     string
	ClientID string
	Request  AuthorizeRequest
	Created  time.Time
	Expires  time.Time
	// Used is when a browser came with it, zero before.
	Used time.Time
}

// PushedStore keeps pushed authorization requests.
type PushedStore interface {
	// CreatePushed stores a pushed request.
	CreatePushed(ctx context.Context, p Pushed) error
	// PushedByHash gives one, used or not. Errors: errs.NotFound.
	PushedByHash(ctx context.Context, tenant, hash string) (Pushed, error)
	// UsePushed marks it as used if it was unused and reports whether this call
	// did so: of many parallel calls exactly one gets true.
	UsePushed(ctx context.Context, tenant, hash string, t time.Time) (bool, error)
}
