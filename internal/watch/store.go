package watch

import (
	"context"
	"time"
)

// Kind says what sort of thing changed.
type Kind string

// The kinds, each with what its key is.
const (
	// Client: the client_id.
	Client Kind = "client"
	// Grant: the id of the grant.
	Grant Kind = "grant"
	// Token: the jti of an access token.
	Token Kind = "token"
	// Person: the id of the account.
	Person Kind = "person"
	// Session: the keyed hash of the log-in session.
	Session Kind = "session"
	// Patient: the id of the patient whose consents changed.
	Patient Kind = "patient"
	// Relation: the id of a RelatedPerson.
	Relation Kind = "relation"
	// SigningKeys: empty; the key set of the tenant.
	SigningKeys Kind = "signing-keys"
	// Tenant: the id of a tenant whose row changed.
	Tenant Kind = "tenant"
	// Brand: empty; the brand bundle of the tenant.
	Brand Kind = "brand"
)

// Change names one thing whose copies in memory are old.
type Change struct {
	Tenant string
	Kind   Kind
	Key    string
}

// Entry is a change as it is stored.
type Entry struct {
	ID string
	Change
}

// MaxEntries is how many entries one poll reads: when more have gathered, all
// copies are dropped instead.
const MaxEntries = 5000

// Store is the port of the package. Changes are written by the ports of the
// rooms themselves, in their own transactions.
type Store interface {
	// Changes gives the changes stored within back before now, by the
	// database's clock, in no order, at most MaxEntries + 1.
	Changes(ctx context.Context, back time.Duration) ([]Entry, error)
	// Listen calls heard whenever some node may have stored a change, until
	// ctx ends or the connection is lost. It is a hint: calls may be missing
	// or for nothing. Errors: errs.NotSupported where the store has no such
	// thing; errs.Unavailable.
	Listen(ctx context.Context, heard func()) error
	// OnCommit calls told with the changes of every transaction of this
	// process, before the one who wrote them is told of the commit.
	OnCommit(told func([]Change))
}
