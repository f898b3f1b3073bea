package oauth

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/evidence"
)

// ClientStore keeps clients and the launch contexts registered for them.
type ClientStore interface {
	// ClientByID gives a client, disabled or not. Errors: errs.NotFound.
	ClientByID(ctx context.Context, tenant, id string) (Client, error)
	// Clients gives all clients of the tenant, by id.
	Clients(ctx context.Context, tenant string) ([]Client, error)
	// PutClient creates or replaces a client.
	PutClient(ctx context.Context, c Client) error
	// RenewSecret replaces one registered form of a client's secret by another
	// of the same secret if it is still registered, and reports whether this
	// call did so. Nothing is revoked by it.
	RenewSecret(ctx context.Context, tenant, id, was, fresh string) (bool, error)

	// CreateLaunch stores a launch context.
	CreateLaunch(ctx context.Context, l Launch) error
	// LaunchByHash gives one, used or not. Errors: errs.NotFound.
	LaunchByHash(ctx context.Context, tenant, hash string) (Launch, error)
	// LaunchesUnder gives those that may be redeemed at t, or were, and have not run
	// out, newest first, at most limit.
	LaunchesUnder(ctx context.Context, tenant string, t time.Time, limit int) ([]Launch, error)
	// UseLaunch marks it as used by a flow if it was unused and reports
	// whether this call did so.
	UseLaunch(ctx context.Context, tenant, hash, flow string, t time.Time) (bool, error)
}

// GrantStore keeps grants.
type GrantStore interface {
	// CreateGrant stores a new grant with its code. Errors: errs.Conflict when there is one of its
	// id, or the request of that id was answered.
	CreateGrant(ctx context.Context, g Grant) error
	// CreateApproved stores a new grant together with the Consent that records
	// it: the first version of what a.Record gives. Errors: those of a.Record and
	// CreateGrant.
	CreateApproved(ctx context.Context, g Grant, a consent.Approval) error
	// GrantByID gives a grant, live or not. Errors: errs.NotFound.
	GrantByID(ctx context.Context, tenant, id string) (Grant, error)
	// GrantsOfPerson gives the grants a person made, newest first.
	GrantsOfPerson(ctx context.Context, tenant, personID string) ([]Grant, error)
	// GrantsOfPatient gives the grants on a patient's record, whoever made
	// them, newest first.
	GrantsOfPatient(ctx context.Context, tenant, patient string) ([]Grant, error)
	// GrantsOfClient gives a page of the grants that people made to a client,
	// newest first.
	GrantsOfClient(ctx context.Context, tenant, clientID string, p GrantPage) ([]Grant, error)
	// ExtendGrant moves the end of a live grant.
	ExtendGrant(ctx context.Context, tenant, id string, ends time.Time) error
	// RevokeGrant ends a grant at t if it stands and reports whether this
	// call did so.
	RevokeGrant(ctx context.Context, tenant, id, reason string, t time.Time) (bool, error)
}

// TokenStore keeps what makes tokens single-use and revocable.
type TokenStore interface {
	// CreateCode stores a new code that does not name its grant.
	CreateCode(ctx context.Context, c Code) error
	// CodeByHash gives a code, used or not. Errors: errs.NotFound.
	CodeByHash(ctx context.Context, tenant, hash string) (Code, error)
	// CodeStanding gives a code, used or not, with the standing of its grant.
	// Errors: errs.NotFound, for a code whose grant is gone too.
	CodeStanding(ctx context.Context, tenant string, ref CodeRef) (Code, Standing, error)
	// UseCode marks a code as used if it was unused and reports whether this
	// call did so: of many parallel calls exactly one gets true (AZ-16). Of a used
	// one that names its grant no more is kept than a replay is told by.
	UseCode(ctx context.Context, c Code, t time.Time) (bool, error)

	// RefreshStanding gives a refresh token, rotated or not, with the standing
	// of its grant. Errors: errs.NotFound, as above.
	RefreshStanding(ctx context.Context, tenant string, ref RefreshRef) (RefreshToken, Standing, error)
	// RotateRefresh gives a grant its first refresh token, or the next one if the
	// one presented is the newest and the grant was not revoked. It reports
	// whether this call did so: of many parallel calls exactly one gets true.
	RotateRefresh(ctx context.Context, r Rotation) (bool, error)

	// UseAssertion remembers the jti of a client assertion until expires.
	// Errors: errs.Conflict when the issuer used it before (ASY-10).
	UseAssertion(ctx context.Context, tenant, issuer, jti string, expires time.Time) error
	// RevokeToken lists the jti of one access token until expires.
	RevokeToken(ctx context.Context, tenant, jti string, expires time.Time) error
	// TokenRevoked reports whether the jti is listed.
	TokenRevoked(ctx context.Context, tenant, jti string) (bool, error)
	// TokenStanding reports whether the jti is listed, with the standing of the
	// token's grant, or of its client alone. Errors: errs.NotFound when there
	// is no such grant or client.
	TokenStanding(ctx context.Context, tenant string, t TokenRef) (revoked bool, st Standing, err error)

	// PutPending creates or replaces an authorization request under way.
	PutPending(ctx context.Context, p Pending) error
	// CarryPending gives the name of a request that is not stored: Pending.Carried,
	// "" for a long one and while a node runs that does not understand it.
	CarryPending(ctx context.Context, p Pending) (string, error)
	// PendingByID gives one by its name, done or not. A stored one counts before
	// what is carried of it. Errors: errs.NotFound.
	PendingByID(ctx context.Context, tenant, name string) (Pending, error)
	// FinishPending marks it as answered if it was not and reports whether
	// this call did so. A grant that answers it has its id and is created before,
	// in the same transaction; it is the only mark of one that is carried. grantID
	// is empty for a refusal.
	FinishPending(ctx context.Context, tenant, name, grantID string, t time.Time) (bool, error)
}

// DeviceStore keeps requests of devices.
type DeviceStore interface {
	// CreateDevice stores a request. Errors: errs.Conflict when the user code is
	// that of another one.
	CreateDevice(ctx context.Context, d DeviceRequest) error
	// DeviceByHash gives one by the hash of its device code, DeviceByUser by that
	// of its user code, whatever became of it. Errors: errs.NotFound.
	DeviceByHash(ctx context.Context, tenant, hash string) (DeviceRequest, error)
	DeviceByUser(ctx context.Context, tenant, userHash string) (DeviceRequest, error)
	// PollDevice notes when a device asked and how long it has to wait now.
	PollDevice(ctx context.Context, tenant, hash string, t time.Time, interval time.Duration) error
	// AnswerDevice notes the answer of a person if there is none, and reports
	// whether this call did so.
	AnswerDevice(ctx context.Context, tenant, hash, grantID string, t time.Time) (bool, error)
	// UseDevice marks an answered one as used if it was not, and reports whether
	// this call did so: of many parallel calls exactly one gets true.
	UseDevice(ctx context.Context, tenant, hash string, t time.Time) (bool, error)
}

// Store is the ports of the room together.
type Store interface {
	ClientStore
	GrantStore
	TokenStore
	PushedStore
	DelegationStore
	DeviceStore
}

// Tx is what a use-case of this room needs inside one transaction.
type Tx interface {
	Store
	consent.Store
	evidence.Keeper
	audit.Appender
}
