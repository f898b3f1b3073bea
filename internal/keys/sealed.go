package keys

import "context"

// Sealer encrypts and decrypts column values. The place (table, column, row)
// is bound to the ciphertext as additional data, so that a value moved to
// another row does not open.
type Sealer interface {
	// Seal gives the stored form of plain for the place.
	Seal(ctx context.Context, place Place, plain []byte) (Sealed, error)
	// Open gives the plaintext back. Errors: errs.Internal when the value
	// was changed or belongs to another place.
	Open(ctx context.Context, place Place, s Sealed) ([]byte, error)
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

// SchemeNull marks a value that is stored as it is.
const SchemeNull byte = 0

// Null is the provider that does not encrypt: the value after the scheme byte
// is the plaintext. Only for development stores.
type Null struct{}

// Seal puts the scheme byte in front.
func (Null) Seal(_ context.Context, _ Place, plain []byte) (Sealed, error) {
	return append([]byte{SchemeNull}, plain...), nil
}

// Open takes the scheme byte off.
func (Null) Open(_ context.Context, _ Place, s Sealed) ([]byte, error) {
	if len(s) == 0 {
		return nil, nil
	}
	if s[0] != SchemeNull {
		return nil, errScheme(s[0])
	}
	return s[1:], nil
}
