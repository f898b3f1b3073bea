package engine

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
)

// CodeLife is how long an authorization code may be redeemed (SMART AZ-15).
const CodeLife = 60 * time.Second

// Grace is how long after its rotation a refresh token still gives the same
// successor, so that a lost answer can be asked for again (SMART REF-09).
const Grace = 30 * time.Second

// Site is the public face of one tenant (D13). URLs have no trailing slash.
type Site struct {
	Tenant        string
	Issuer        string
	FHIRBase      string
	TokenURL      string
	IntrospectURL string
	RevokeURL     string
	// PushURL takes authorization requests before the browser comes (RFC 9126).
	PushURL string
	// Demo marks what is issued as that of a demonstration, whose accounts and clients
	// everybody knows (TR-51).
	Demo bool
}

// Sites gives the site of a tenant. Errors: errs.NotFound.
type Sites interface {
	Site(ctx context.Context, tenant string) (Site, error)
}

// Reader is what is read before a decision, outside any transaction. Each
// method errs as in oauth.Store.
type Reader interface {
	ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
	CodeStanding(ctx context.Context, tenant string, ref oauth.CodeRef) (oauth.Code, oauth.Standing, error)
	RefreshStanding(ctx context.Context, tenant string, ref oauth.RefreshRef) (oauth.RefreshToken, oauth.Standing, error)
	TokenStanding(ctx context.Context, tenant string, t oauth.TokenRef) (revoked bool, st oauth.Standing, err error)
}

// Redecider asks the one decision point again what a grant still gives
// (SMART REF-10); authority.Loader is one.
type Redecider interface {
	// Redecide gives what is left now of the requested scopes, a text whose
	// scopes the grant covers. Errors: errs.AccessDenied when nothing is;
	// errs.Unavailable.
	Redecide(ctx context.Context, st oauth.Standing, requested string) (oauth.Redecision, error)
}

// Ender ends a grant with what rests on it; oauth.Connections is one.
type Ender interface {
	// EndTx ends a grant in the caller's transaction; one that has ended
	// stays as it is. Errors: errs.Unavailable.
	EndTx(ctx context.Context, tx oauth.Tx, g oauth.Grant, reason string, origin audit.Event) error
}

// Deps is what an Engine is made of.
type Deps struct {
	Ring      *keys.Ring
	IDs       ids.Source
	Clock     clock.Clock
	Reader    Reader
	Runner    txn.Runner[oauth.Tx]
	Ender     Ender
	Redecider Redecider
	Verifier  *Verifier
	Recorder  audit.Recorder
	// Admit counts a request with a token or a code of a person, whose grant it
	// found; nil counts nothing. Errors: errs.RateLimited.
	Admit func(ctx context.Context, tenant, personID string) error
	// Residual gives what must be withheld from a proxy beside the scopes, Name how
	// a person is called: both for resource servers that may know. nil tells
	// nothing. Errors: errs.Unavailable.
	Residual func(ctx context.Context, g oauth.Grant) ([]oauth.ResidualRule, error)
	Name     func(ctx context.Context, tenant, personID string) (string, error)
	// Named says that every running node reads codes and refresh tokens that name
	// their grant; nil means that it is so.
	Named func() bool
}

// Engine issues, introspects and revokes tokens. It is safe for concurrent
// use.
type Engine struct {
	Deps
}

// AdmitPerson counts a request about a grant; one without a person passes.
// Errors: errs.RateLimited.
func (e *Engine) AdmitPerson(ctx context.Context, g oauth.Grant) error {
	if e.Admit == nil || g.PersonID == "" {
		return nil
	}
	return e.Admit(ctx, g.Tenant, g.PersonID)
}

// Tokens gives what verifies access tokens; nil for no engine.
func (e *Engine) Tokens() *Verifier {
	if e == nil {
		return nil
	}
	return e.Verifier
}

// New gives an engine.
func New(d Deps) *Engine { return &Engine{Deps: d} }
