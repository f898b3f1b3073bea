package keys

import (
	"context"
	"time"
)

// Provider keeps key-encryption keys (KEKs) and never gives one out: a file in
// development, an HSM or a key service in production (SE-02, SE-04). Its calls
// may cross a network, so nothing calls it while a request or a transaction
// waits, and no lock is held over one.
type Provider interface {
	// Name says which kind it is, for people: "local", "vault", "pkcs11".
	Name() string
	// Wrap encrypts a short key (at most 64 bytes) under the current KEK,
	// bound to context, which need not be secret. Errors: errs.Unavailable.
	Wrap(ctx context.Context, key, context []byte) (Wrapped, error)
	// Unwrap gives the key back. Errors: errs.Unavailable; errs.Conflict with
	// code kek-unknown when the provider lacks the KEK; errs.Internal with
	// code key-unwrap when the value was changed or belongs to another
	// context.
	Unwrap(ctx context.Context, w Wrapped, context []byte) ([]byte, error)
	// Current gives the id and age of the KEK that wraps now. Errors:
	// errs.Unavailable.
	Current(ctx context.Context) (KEK, error)
	// Rotate makes a new KEK current; what older ones wrapped still unwraps.
	// Errors: errs.Unavailable.
	Rotate(ctx context.Context) (KEK, error)
}

// Wrapped is a key encrypted under a KEK of a Provider.
type Wrapped struct {
	// KEK is the id of the key-encryption key.
	KEK   string
	Bytes []byte
}

// KEK describes a key-encryption key.
type KEK struct {
	ID string
	// Created is zero when the provider does not tell.
	Created time.Time
}
