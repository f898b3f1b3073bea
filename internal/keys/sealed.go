package keys

import "context"

// Sealer encrypts and decrypts column values. The place (tenant, table,
// column, row, subject) is bound to the ciphertext as additional data, so that
// a value moved to another row does not open.
type Sealer interface {
	// Seal gives the stored form of plain for the place. Errors: those of
	// src; errs.Unavailable when the key provider does not answer.
	Seal(ctx context.Context, src Source, place Place, plain []byte) (Sealed, error)
	// Open gives the plaintext back. Errors: those of src; errs.Internal
	// when the value was changed or belongs to another place; errs.Gone with
	// code erased when its key was destroyed.
	Open(ctx context.Context, src Source, place Place, s Sealed) ([]byte, error)
	// Blind gives the keyed forms of a value under which equal values are
	// found: the first is written, any of them may be stored. Errors: as Seal.
	Blind(ctx context.Context, src Source, place Place, value string) ([]string, error)
	// Stale reports whether a value is to be encrypted again: it is plain or
	// under an older key.
	Stale(ctx context.Context, src Source, place Place, s Sealed) (bool, error)
	// Committed takes the keys that a transaction read or made, once it is
	// durable.
	Committed(kept *Kept)
}

// Source is the data keys as one transaction, or a read of its own, sees them.
type Source interface {
	// DataKeys gives all versions of a subject's data key, oldest first.
	DataKeys(ctx context.Context, tenant, subject string) ([]DataKey, error)
	// AddDataKey stores a version unless there is one of this number.
	AddDataKey(ctx context.Context, k DataKey) error
	// TenantKeys gives all versions of a tenant's key, oldest first.
	TenantKeys(ctx context.Context, tenant string) ([]TenantKey, error)
	// AddTenantKey stores a version unless there is one of this number.
	AddTenantKey(ctx context.Context, k TenantKey) error
	// Kept is what this transaction read or made; nil outside of one. No
	// other may use it before the commit.
	Kept() *Kept
}

// Place names one cell of the store.
type Place struct {
	Tenant string
	Table  string
	Column string
	Row    string
	// Subject is the patient whose data key is used; empty for the tenant's.
	Subject string
}

// Sealed is an encrypted column value. Its first byte is the scheme.
type Sealed []byte

// The schemes.
const (
	// SchemeNull marks a value that is stored as it is.
	SchemeNull byte = 0
	// SchemeAES marks AES-256-GCM: the version of the data key as a varint,
	// 12 bytes of nonce, ciphertext with its 16 bytes of tag.
	SchemeAES byte = 1
)

// Null is the sealer that does not encrypt: the value after the scheme byte is
// the plaintext. For tests of what lies around a store.
type Null struct{}

// Seal puts the scheme byte in front.
func (Null) Seal(_ context.Context, _ Source, _ Place, plain []byte) (Sealed, error) {
	return append([]byte{SchemeNull}, plain...), nil
}

// Open takes the scheme byte off.
func (Null) Open(_ context.Context, _ Source, _ Place, s Sealed) ([]byte, error) {
	return openNull(s)
}

func openNull(s Sealed) ([]byte, error) {
	if len(s) == 0 {
		return nil, nil
	}
	if s[0] != SchemeNull {
		return nil, errScheme(s[0])
	}
	return s[1:], nil
}

// Blind gives the value as it is.
func (Null) Blind(_ context.Context, _ Source, _ Place, value string) ([]string, error) {
	return []string{value}, nil
}

// Stale gives false.
func (Null) Stale(context.Context, Source, Place, Sealed) (bool, error) { return false, nil }

// Committed does nothing.
func (Null) Committed(*Kept) {}
