package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"math/big"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
)

// Module makes signing keys and signs with them inside of itself: an HSM, which
// gives no private key out (SE-04). Its calls may cross a network.
type Module interface {
	// Name says which kind it is, for people.
	Name() string
	// MakeSigner makes a key of the JWA algorithm RS256 or ES256 and gives its id
	// there. Errors: errs.Unavailable.
	MakeSigner(ctx context.Context, alg string) (id string, public crypto.PublicKey, err error)
	// Signer gives a key that was made. The module is asked at the first
	// signature, whose errors are errs.Unavailable.
	Signer(id string, public crypto.PublicKey) crypto.Signer
	// RemoveSigner destroys a key; one that is not there is none. Errors:
	// errs.Unavailable.
	RemoveSigner(ctx context.Context, id string) error
}

// WhereStore is where keys live that are wrapped in the store.
const WhereStore = "store"

// InModule lets the ring use the signing keys that a module holds and, where
// makes is set, has new ones made there. It is called before the ring is used.
// Keys that are secrets as a whole stay wrapped in the store: they hash and
// encrypt in the process.
func (r *Ring) InModule(m Module, makes bool) *Ring {
	r.module, r.makesInModule = m, makes
	return r
}

// held is the stored form of a key that lives in a module: where it is, and its
// public part, by which tokens verify while the module is away. Without a module the
// key is its public part alone. It begins with a brace, a PKCS#8 key never does.
type held struct {
	Module string `json:"module,omitempty"`
	ID     string `json:"id,omitempty"`
	// Public is the PKIX form.
	Public []byte `json:"public"`
}

// held tells in which module the key lives, if it lives in one.
func (k SigningKey) held() (h held, ok bool) {
	if secretAlgorithm(k.Use) != "" || len(k.Private) == 0 || k.Private[0] != '{' {
		return h, false
	}
	return h, json.Unmarshal(k.Private, &h) == nil
}

// Where names the module in which the key lives, or WhereStore.
func (k SigningKey) Where() string {
	if h, ok := k.held(); ok && h.Module != "" {
		return h.Module
	}
	return WhereStore
}

// makeKey makes a fresh key, in the module where that is set.
func (r *Ring) makeKey(ctx context.Context, tenant string, use Use, now time.Time) (SigningKey, error) {
	if !r.makesInModule || secretAlgorithm(use) != "" || use == UseRecord {
		return makeKey(tenant, use, now)
	}
	alg := string(algorithm(use))
	id, public, err := r.module.MakeSigner(ctx, alg)
	if err != nil {
		return SigningKey{}, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return SigningKey{}, errs.Wrap(err, errs.Internal, "signing-key-generation", "A signing key could not be written.")
	}
	private, err := json.Marshal(held{Module: r.module.Name(), ID: id, Public: der})
	if err != nil {
		return SigningKey{}, errs.Wrap(err, errs.Internal, "signing-key-generation", "A signing key could not be written.")
	}
	kid, err := thumbprint(public)
	return SigningKey{Tenant: tenant, KID: kid, Use: use, Alg: alg, Private: private, Created: now, Signs: now}, err
}

// openKey reads a stored key, wherever it lives. Errors: errs.Conflict
// (signing-key-elsewhere) where this process does not use its module;
// errs.Internal.
func (r *Ring) openKey(s SigningKey) (*ringKey, error) {
	h, ok := s.held()
	if !ok {
		return openKey(s)
	}
	if h.Module != "" && (r.module == nil || r.module.Name() != h.Module) {
		return nil, errs.New(errs.Conflict, "signing-key-elsewhere",
			"A signing key of this store lives in "+h.Module+": name that with --keys.")
	}
	public, err := x509.ParsePKIXPublicKey(h.Public)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "signing-key-unreadable", "A stored signing key cannot be read.")
	}
	alg := algorithm(s.Use)
	if s.Alg != string(alg) || !verifies(alg, public) {
		return nil, errs.New(errs.Internal, "signing-key-algorithm", "A stored signing key is of another algorithm than its use has.")
	}
	k := &ringKey{stored: s, public: jose.JSONWebKey{Key: public, KeyID: s.KID, Algorithm: string(alg), Use: "sig"}}
	if h.Module != "" {
		k.private = r.module.Signer(h.ID, public)
	}
	return k, nil
}

// forget destroys in its module a key that was removed from the store.
func (r *Ring) forget(ctx context.Context, k SigningKey) error {
	h, ok := k.held()
	if !ok || r.module == nil || r.module.Name() != h.Module {
		return nil
	}
	return r.module.RemoveSigner(ctx, h.ID)
}

// jwsSignature signs a SHA-256 sum with a key of any kind, in the form of a JWS:
// an ES256 signature is two numbers of fixed length there (RFC 7518 §3.4).
func jwsSignature(key crypto.Signer, sum []byte) ([]byte, error) {
	signed, err := key.Sign(nil, sum, crypto.SHA256)
	if _, ec := key.Public().(*ecdsa.PublicKey); err != nil || !ec {
		return signed, err
	}
	var pair struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(signed, &pair); err != nil || len(rest) > 0 {
		return nil, errs.Wrap(err, errs.Internal, "signing", "A signature could not be read.")
	}
	return fixed(pair.R, pair.S)
}

// fixed writes the two numbers of an ES256 signature.
func fixed(r, s *big.Int) ([]byte, error) {
	if r.BitLen() > 8*es256Half || s.BitLen() > 8*es256Half {
		return nil, errs.New(errs.Internal, "signing", "A signature is of another curve.")
	}
	out := make([]byte, 2*es256Half)
	r.FillBytes(out[:es256Half])
	s.FillBytes(out[es256Half:])
	return out, nil
}
