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
)

// SigningKey is one private signing key of a tenant.
type SigningKey struct {
	Tenant string
	KID    string
	Use    Use
	Alg    string
	// Private is the PKCS#8 DER form; it is stored encrypted.
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
	// the number of keys.
	DestroyKeys(ctx context.Context, now time.Time) (int64, error)
	// KeyEpochs counts, by tenant, the changes that all nodes must notice;
	// BumpKeyEpoch adds one.
	KeyEpochs(ctx context.Context) (map[string]int64, error)
	BumpKeyEpoch(ctx context.Context, tenant string) error
}

// Store is the port by which keys are kept.
type Store interface {
	// SigningKeys gives all keys of a tenant, oldest first.
	SigningKeys(ctx context.Context, tenant string) ([]SigningKey, error)
	// PutSigningKey creates or replaces a key.
	PutSigningKey(ctx context.Context, k SigningKey) error
	// Secret gives a named secret of the tenant, creating it from make when
	// there is none: all nodes then see the same one.
	Secret(ctx context.Context, tenant, name string, fresh func() []byte) ([]byte, error)
}
