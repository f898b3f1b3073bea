package store

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

// OpenKeys makes ready the keys of a tenant and makes them when there are none,
// for which it asks the key provider. Errors: errs.Unavailable, and those of the
// provider.
func (s *Store) OpenKeys(ctx context.Context, tenant string) error {
	_, err := s.seal(ctx, keys.Place{Tenant: tenant}, nil)
	return err
}

// OpenAllKeys makes ready the keys of every tenant that has some. A store whose
// keys the provider cannot unwrap is told from a new one here, before anything
// is written under other keys. Errors: errs.Conflict (kek-unknown),
// errs.Unavailable, and those of the provider.
func (s *Store) OpenAllKeys(ctx context.Context) error {
	all, err := s.KeyTenants(ctx)
	if err != nil {
		return err
	}
	for _, tenant := range all {
		if err := s.OpenKeys(ctx, tenant); err != nil && !errs.Is(err, errs.Gone) {
			return err
		}
	}
	return nil
}

// seal gives the stored form of a secret column.
func (p *ports) seal(ctx context.Context, place keys.Place, plain []byte) ([]byte, error) {
	s, err := p.sealer.Seal(ctx, p, place, plain)
	return []byte(s), err
}

// open gives the plaintext of a secret column.
func (p *ports) open(ctx context.Context, place keys.Place, sealed []byte) ([]byte, error) {
	return p.sealer.Open(ctx, p, place, keys.Sealed(sealed))
}

// sealedMark begins a TEXT column that is encrypted: base64url follows. What
// does not begin with it was stored as it is by an older program.
const sealedMark = "~"

// sealText gives the stored form of a secret TEXT column; "" stays as it is.
func (p *ports) sealText(ctx context.Context, place keys.Place, plain string) (string, error) {
	if plain == "" {
		return "", nil
	}
	if !storable([]any{plain}) {
		return "", errNotStorable()
	}
	s, err := p.seal(ctx, place, []byte(plain))
	return sealedMark + base64.RawURLEncoding.EncodeToString(s), err
}

// openText gives the plaintext of a secret TEXT column.
func (p *ports) openText(ctx context.Context, place keys.Place, stored string) (string, error) {
	if stored == "" {
		return "", nil
	}
	plain, err := p.open(ctx, place, textSealed(stored))
	return string(plain), err
}

// textSealed gives the sealed value of a TEXT column.
func textSealed(stored string) []byte {
	if text, ok := strings.CutPrefix(stored, sealedMark); ok {
		if s, err := base64.RawURLEncoding.DecodeString(text); err == nil {
			return s
		}
	}
	return append([]byte{keys.SchemeNull}, stored...)
}

// sealDoc is sealText for a value in JSON.
func (p *ports) sealDoc(ctx context.Context, place keys.Place, v any) (string, error) {
	plain, err := doc(v).text()
	if err != nil {
		return "", err
	}
	return p.sealText(ctx, place, plain)
}

// openDoc is openText for a value in JSON.
func (p *ports) openDoc(ctx context.Context, place keys.Place, stored string, v any) error {
	plain, err := p.openText(ctx, place, stored)
	if err != nil {
		return err
	}
	return doc(v).Scan(plain)
}
