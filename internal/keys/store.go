package keys

import (
	"context"
	"time"
)

// Use says what a signing key signs.
type Use string

// The uses (D2).
const (
	// UseAccessToken keys sign access tokens with ES256.
	UseAccessToken Use = "access-token"
	// UseIDToken keys sign id_tokens with RS256.
	UseIDToken Use = "id-token"
	// UseIDTokenES256 keys sign the id_tokens of clients that ask for ES256.
	UseIDTokenES256 Use = "id-token-es256"
	// UseAccessHandle keys seal the opaque access tokens of clients that ask for
	// them. A tenant has one once such a client is registered.
	UseAccessHandle Use = "access-handle"
	// UseTokenHash keys hash codes, refresh tokens, sessions, launches and client
	// secrets, of which nothing else is stored.
	UseTokenHash Use = "token-hash"
	// UseRecord keys sign versions of Consents, for as long as those are kept (PV-08).
	// They are always wrapped in the store: a signature is made within a transaction,
	// which must not wait for a module across a network.
	UseRecord Use = "record"
)

// Uses gives them all.
func Uses() []Use {
	return []Use{UseAccessToken, UseIDToken, UseIDTokenES256, UseAccessHandle, UseTokenHash, UseRecord}
}

// SigningKey is one key of a tenant under which tokens are made.
type SigningKey struct {
	Tenant string
	KID    string
	Use    Use
	Alg    string
	// Private is the PKCS#8 DER form, or the 32 bytes of a UseAccessHandle or
	// UseTokenHash key; it is stored encrypted.
	Private []byte
	Created time.Time
	// Signs is from when on it signs, Retired from when on it only verifies
	// (zero while it signs).
	Signs   time.Time
	Retired time.Time
}

// Vault is the port by which wrapped keys are kept and rotated.
type Vault interface {
	Source
	// KeyTenants gives the tenants that have keys.
	KeyTenants(ctx context.Context) ([]string, error)
	// RewrapTenantKey replaces KEK and Wrapped if the version is still wrapped
	// by the KEK was.
	RewrapTenantKey(ctx context.Context, k TenantKey, was string) (bool, error)
	// RewrapDataKey replaces Parent and Wrapped if the version is still
	// wrapped by the tenant key was.
	RewrapDataKey(ctx context.Context, k DataKey, was int) (bool, error)
	// DataKeysUnder gives some data keys wrapped by tenant keys below a
	// version.
	DataKeysUnder(ctx context.Context, tenant string, below, limit int) ([]DataKey, error)
	// DataKeySubjects gives subjects in order, behind one.
	DataKeySubjects(ctx context.Context, tenant, after string, limit int) ([]string, error)
	// EndDataKeys ends the versions below one: retired is from when on they
	// only decrypt, destroy when they are to be destroyed, zero for never. An
	// earlier end stays.
	EndDataKeys(ctx context.Context, tenant, subject string, below int, retired, destroy time.Time) error
	// EndTenantKeys says when the versions below one are to be destroyed.
	EndTenantKeys(ctx context.Context, tenant string, below int, destroy time.Time) error
	// DestroyKeys destroys what is due at now, in one transaction, and gives
	// what that was, by tenant.
	DestroyKeys(ctx context.Context, now time.Time) ([]Destroyed, error)
	// KeysChanged lets every node read the keys of a tenant again.
	KeysChanged(ctx context.Context, tenant string) error
	// OldestPatientKey gives when the oldest patient's key was made that still
	// encrypts, and zero when there is none.
	OldestPatientKey(ctx context.Context, tenant string) (time.Time, error)
}

// Resealer is the port by which values are encrypted again.
type Resealer interface {
	// StartReseal asks for every value of a tenant that is under older keys
	// to be encrypted again.
	StartReseal(ctx context.Context, tenant string, now time.Time) error
	// Reseals tells how far each tenant is.
	Reseals(ctx context.Context) ([]Reseal, error)
}

// Reseal is the encrypting again of a tenant's values under its newest keys.
type Reseal struct {
	Tenant string
	// Started is when it was asked for, Began when the pass began that goes on
	// at Position and has looked at Seen values, of which Stale were under
	// older keys. Finished is zero while it goes on.
	Started  time.Time
	Began    time.Time
	Position string
	Seen     int64
	Stale    int64
	Finished time.Time
}

// Store is the port by which keys are kept.
type Store interface {
	// SigningKeys gives all keys of a tenant, oldest first.
	SigningKeys(ctx context.Context, tenant string) ([]SigningKey, error)
	// PutSigningKey creates or replaces a key.
	PutSigningKey(ctx context.Context, k SigningKey) error
	// RemoveSigningKey deletes a key: nothing that it signed verifies any more.
	RemoveSigningKey(ctx context.Context, tenant, kid string) error
	// Secret gives a named secret of the tenant, creating it from make when
	// there is none: all nodes then see the same one.
	Secret(ctx context.Context, tenant, name string, fresh func() []byte) ([]byte, error)
	// RemoveSecret deletes a named secret, if there is one.
	RemoveSecret(ctx context.Context, tenant, name string) error
}
