package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// hsm is a module for tests; away makes it answer nothing.
type hsm struct {
	keys map[string]crypto.Signer
	made int
	away bool
}

func (*hsm) Name() string { return "hsm" }

func (h *hsm) MakeSigner(_ context.Context, alg string) (string, crypto.PublicKey, error) {
	var key crypto.Signer
	var err error
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); alg == "RS256" {
		key, err = rsa.GenerateKey(rand.Reader, rsaBits)
	}
	if err != nil {
		return "", nil, err
	}
	h.made++
	id := strconv.Itoa(h.made)
	h.keys[id] = key
	return id, key.Public(), nil
}

func (h *hsm) Signer(id string, public crypto.PublicKey) crypto.Signer {
	return hsmSigner{h, id, public}
}

func (h *hsm) RemoveSigner(_ context.Context, id string) error {
	delete(h.keys, id)
	return nil
}

type hsmSigner struct {
	*hsm
	id     string
	public crypto.PublicKey
}

func (s hsmSigner) Public() crypto.PublicKey { return s.public }

func (s hsmSigner) Sign(_ io.Reader, sum []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.away {
		return nil, errs.New(errs.Unavailable, "away", "It is away.")
	}
	return s.keys[s.id].Sign(rand.Reader, sum, opts)
}

// SE-04: keys of a module sign, take over from wrapped ones, verify while it is
// away, and are destroyed in it when nothing needs them. Without the module the
// ring says where they are.
func TestKeysInAModule(t *testing.T) {
	ctx, c, store, m := t.Context(), &clock.Movable{}, &memory{}, &hsm{keys: map[string]crypto.Signer{}}
	plain := NewRing(store, c)
	was, err := plain.Sign(ctx, "t", UseIDToken, "JWT", claims{"a"})
	if err != nil {
		t.Fatal(err)
	}
	r := NewRing(store, c).InModule(m, true)
	keeper := custody(store, r, c)
	var tokens []string
	for _, use := range []Use{UseIDToken, UseAccessToken} {
		k, err := keeper.RotateSigning(ctx, "t", use, Announce)
		if err != nil || k.Where() != "hsm" {
			t.Fatal(k.Where(), err)
		}
	}
	c.Advance(Announce)
	sign := func(use Use) error {
		token, err := r.Sign(ctx, "t", use, "JWT", claims{"a"})
		tokens = append(tokens, token)
		return err
	}
	if err := sign(UseIDToken); err != nil {
		t.Fatal(err)
	}
	m.away = true
	if err := sign(UseAccessToken); !errs.Is(err, errs.Unavailable) {
		t.Errorf("away: %v", err)
	}
	for _, token := range []string{was, tokens[0]} {
		if _, err := r.Verify(ctx, "t", UseIDToken, "JWT", token); err != nil {
			t.Error(err)
		}
	}
	if _, err := NewRing(store, c).Sign(ctx, "t", UseIDToken, "JWT", claims{"a"}); errs.As(err).Code != "signing-key-elsewhere" {
		t.Errorf("without the module: %v", err)
	}
	m.away = false
	if _, err := keeper.RotateSigning(ctx, "t", UseIDToken, Announce); err != nil {
		t.Fatal(err)
	}
	held := len(m.keys)
	c.Advance(Announce + Overlap + time.Second)
	if err := keeper.TendSigning(ctx, "t", 90*24*time.Hour); err != nil || len(m.keys) != held-1 {
		t.Errorf("%d of %d keys are left: %v", len(m.keys), held, err)
	}
	newest := r.tenants["t"].newest(UseIDToken, c.Now()).stored.KID
	if err := keeper.RevokeSigning(ctx, "t", newest); err != nil || len(m.keys) != held-1 {
		t.Errorf("%d keys are left: %v", len(m.keys), err)
	}
	if err := sign(UseIDToken); err != nil {
		t.Error(err)
	}
}

// A key of a module that is of another algorithm than its use is refused.
func TestKeyOfAModuleKeepsItsAlgorithm(t *testing.T) {
	r := NewRing(&memory{}, clock.System{}).InModule(&hsm{keys: map[string]crypto.Signer{}}, true)
	k, err := r.makeKey(t.Context(), "t", UseAccessToken, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	k.Use, k.Alg = UseIDToken, "RS256"
	if _, err := r.openKey(k); !errs.Is(err, errs.Internal) {
		t.Error(err)
	}
}
