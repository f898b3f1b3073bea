//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"io"
	"math/big"
	"slices"

	lib "github.com/miekg/pkcs11"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

// Provider also holds signing keys.
var _ keys.Module = (*Provider)(nil)

// rsaBits is the size of RSA signing keys, and their exponent F4.
const rsaBits = 2048

// Values of PKCS#11 and PKCS#1 that its library does not give.
var (
	p256     = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	exponent = []byte{1, 0, 1}
	// sha256Info stands before a SHA-256 sum in an RSA signature (RFC 8017 §9.2).
	sha256Info = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
)

// MakeSigner implements keys.Module. What the token made signs once before it is
// given out: a key that signs otherwise than promised is never announced.
func (p *Provider) MakeSigner(ctx context.Context, alg string) (string, crypto.PublicKey, error) {
	raw := make([]byte, 8)
	_, _ = rand.Read(raw) // documented never to fail
	id := "pkcs11-sign-" + hex.EncodeToString(raw)
	public, err := use(ctx, p.token, func(s *session) (crypto.PublicKey, error) {
		if err := s.removePair(id); err != nil { // of an attempt that failed half way
			return nil, err
		}
		return s.generatePair(p.cfg.Object, id, alg, p.cfg.Clock.Now().UTC().Format("2006-01-02T15:04:05Z"))
	})
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256([]byte(id))
	signed, err := p.Signer(id, public).Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return "", nil, err
	}
	if !verified(public, sum[:], signed) {
		return "", nil, errs.New(errs.Unavailable, "pkcs11-unfaithful",
			"The token "+p.token.name+" made a signing key whose signatures do not verify, so it cannot be used.")
	}
	return id, public, nil
}

func verified(public crypto.PublicKey, sum, signed []byte) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum, signed)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum, signed) == nil
	}
	return false
}

// Signer implements keys.Module.
func (p *Provider) Signer(id string, public crypto.PublicKey) crypto.Signer {
	return &signer{token: p.token, id: id, public: public}
}

// RemoveSigner implements keys.Module.
func (p *Provider) RemoveSigner(ctx context.Context, id string) error {
	_, err := use(ctx, p.token, func(s *session) (bool, error) { return true, s.removePair(id) })
	return err
}

// signer signs with one private key of the token.
type signer struct {
	token  *token
	id     string
	public crypto.PublicKey

	// Who has the token's turn may use what follows: the private key as the
	// session knows it, which another session knows by another number.
	session *session
	private lib.ObjectHandle
}

// Public implements crypto.Signer.
func (k *signer) Public() crypto.PublicKey { return k.public }

// Sign implements crypto.Signer for SHA-256 sums; the token makes its own random
// numbers. Errors: errs.Unavailable.
func (k *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, errs.New(errs.Internal, "signing", "Keys of a token sign SHA-256 sums.")
	}
	// The time is bounded by use: crypto.Signer knows no context.
	return use(context.Background(), k.token, func(s *session) ([]byte, error) { return k.sign(s, digest) })
}

func (k *signer) sign(s *session, digest []byte) ([]byte, error) {
	if err := k.locate(s); err != nil {
		return nil, err
	}
	_, isRSA := k.public.(*rsa.PublicKey)
	mechanism := uint(lib.CKM_ECDSA)
	if isRSA {
		mechanism, digest = lib.CKM_RSA_PKCS, slices.Concat(sha256Info, digest)
	}
	err := s.lib.SignInit(s.handle, []*lib.Mechanism{lib.NewMechanism(mechanism, nil)}, k.private)
	if err != nil {
		k.session = nil
		return nil, s.failed(err, "sign")
	}
	signed, err := s.lib.Sign(s.handle, digest)
	switch {
	case err != nil:
		k.session = nil
		return nil, s.failed(err, "sign")
	case isRSA:
		return signed, nil
	}
	half := len(signed) / 2
	der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(signed[:half]), new(big.Int).SetBytes(signed[half:])})
	if err != nil {
		return nil, s.failed(err, "sign")
	}
	return der, nil
}

// locate finds the private key, once in a session.
func (k *signer) locate(s *session) error {
	if k.session == s {
		return nil
	}
	found, err := s.list([]*lib.Attribute{
		lib.NewAttribute(lib.CKA_CLASS, lib.CKO_PRIVATE_KEY), lib.NewAttribute(lib.CKA_TOKEN, true), lib.NewAttribute(lib.CKA_ID, []byte(k.id)),
	})
	if err != nil {
		return s.failed(err, "list its keys")
	}
	if len(found) != 1 {
		return errs.New(errs.Unavailable, "pkcs11-signing-key-missing", "The token "+s.name+" does not hold the signing key "+k.id+
			". When it is lost, mandate keys list tells which key lives there, and mandate keys retire makes another in its place.")
	}
	if err := s.stays(found[0], k.id); err != nil {
		return err
	}
	k.session, k.private = s, found[0]
	return nil
}

// generatePair makes a key pair whose private half cannot leave the token and
// does nothing but sign, and gives the public half.
func (s *session) generatePair(object, id, alg, made string) (crypto.PublicKey, error) {
	label := object + " " + id + " " + made
	mechanism, params := uint(lib.CKM_EC_KEY_PAIR_GEN), []*lib.Attribute{lib.NewAttribute(lib.CKA_EC_PARAMS, p256)}
	if alg == "RS256" {
		mechanism, params = lib.CKM_RSA_PKCS_KEY_PAIR_GEN, []*lib.Attribute{
			lib.NewAttribute(lib.CKA_MODULUS_BITS, rsaBits), lib.NewAttribute(lib.CKA_PUBLIC_EXPONENT, exponent),
		}
	}
	public, _, err := s.lib.GenerateKeyPair(s.handle, []*lib.Mechanism{lib.NewMechanism(mechanism, nil)}, append(params,
		lib.NewAttribute(lib.CKA_TOKEN, true), lib.NewAttribute(lib.CKA_LABEL, label), lib.NewAttribute(lib.CKA_ID, []byte(id)),
		lib.NewAttribute(lib.CKA_VERIFY, true), lib.NewAttribute(lib.CKA_ENCRYPT, false), lib.NewAttribute(lib.CKA_WRAP, false),
	), []*lib.Attribute{
		lib.NewAttribute(lib.CKA_TOKEN, true), lib.NewAttribute(lib.CKA_PRIVATE, true),
		lib.NewAttribute(lib.CKA_LABEL, label), lib.NewAttribute(lib.CKA_ID, []byte(id)),
		lib.NewAttribute(lib.CKA_SENSITIVE, true), lib.NewAttribute(lib.CKA_EXTRACTABLE, false),
		lib.NewAttribute(lib.CKA_SIGN, true), lib.NewAttribute(lib.CKA_DECRYPT, false),
		lib.NewAttribute(lib.CKA_UNWRAP, false), lib.NewAttribute(lib.CKA_DERIVE, false),
	})
	if err != nil {
		return nil, s.failed(err, "make a key for "+alg)
	}
	if alg == "RS256" {
		return s.rsaPublic(public)
	}
	return s.ecPublic(public)
}

func (s *session) rsaPublic(h lib.ObjectHandle) (crypto.PublicKey, error) {
	got, err := s.lib.GetAttributeValue(s.handle, h, []*lib.Attribute{
		lib.NewAttribute(lib.CKA_MODULUS, nil), lib.NewAttribute(lib.CKA_PUBLIC_EXPONENT, nil),
	})
	if err != nil {
		return nil, s.failed(err, "give a public key")
	}
	n, e := new(big.Int).SetBytes(got[0].Value), new(big.Int).SetBytes(got[1].Value)
	if n.BitLen() != rsaBits || !e.IsInt64() || e.Int64() != 65537 {
		return nil, errs.New(errs.Unavailable, "pkcs11-unfaithful", "The token "+s.name+" made another RSA key than it was asked for.")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// ecPublic reads a point, which stands in an octet string; some tokens leave
// that away.
func (s *session) ecPublic(h lib.ObjectHandle) (crypto.PublicKey, error) {
	got, err := s.lib.GetAttributeValue(s.handle, h, []*lib.Attribute{lib.NewAttribute(lib.CKA_EC_POINT, nil)})
	if err != nil {
		return nil, s.failed(err, "give a public key")
	}
	point := got[0].Value
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "pkcs11-unfaithful", "The token "+s.name+" made another key than P-256.")
	}
	return key, nil
}

// removePair destroys both halves of a signing key.
func (s *session) removePair(id string) error {
	for _, class := range []uint{lib.CKO_PRIVATE_KEY, lib.CKO_PUBLIC_KEY} {
		found, err := s.list([]*lib.Attribute{
			lib.NewAttribute(lib.CKA_CLASS, class), lib.NewAttribute(lib.CKA_TOKEN, true), lib.NewAttribute(lib.CKA_ID, []byte(id)),
		})
		if err != nil {
			return s.failed(err, "list its keys")
		}
		for _, h := range found {
			if err := s.lib.DestroyObject(s.handle, h); err != nil {
				return s.failed(err, "destroy a signing key")
			}
		}
	}
	return nil
}
