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
