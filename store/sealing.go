package store

import (
	"context"

	"github.com/mandate-health/mandate/internal/keys"
)

// seal gives the stored form of a secret column.
func (p *ports) seal(ctx context.Context, place keys.Place, plain []byte) ([]byte, error) {
	s, err := p.sealer.Seal(ctx, place, plain)
	return []byte(s), err
}

// open gives the plaintext of a secret column.
func (p *ports) open(ctx context.Context, place keys.Place, sealed []byte) ([]byte, error) {
	return p.sealer.Open(ctx, place, keys.Sealed(sealed))
}
