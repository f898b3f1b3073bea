package clientkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
)

// Signer signs with one key: ES384 with a P-384 key, RS384 with an RSA key. It is
// safe for concurrent use.
type Signer struct{ signer jose.Signer }

// minRSA is the smallest RSA key, in bits.
const minRSA = 2048

var errKey = errs.New(errs.Invalid, "upstream-key", "A private key in PEM is needed: EC P-384, or RSA of at least 2048 bits.")

// Parse reads a private key in PEM (PKCS #8, SEC 1 or PKCS #1). The kid names it to
// who verifies, "" for none. Errors: errs.Invalid, which does not tell the text.
func Parse(text []byte, kid string) (*Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errKey
	}
	key, err := read(block.Bytes)
	if err != nil {
		return nil, errKey
	}
	var alg jose.SignatureAlgorithm
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P384() {
			alg = jose.ES384
		}
	case *rsa.PrivateKey:
		if k.N.BitLen() >= minRSA {
			alg = jose.RS384
		}
	}
	if alg == "" {
		return nil, errKey
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, errKey
	}
	return &Signer{s}, nil
}

func read(der []byte) (crypto.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err == nil {
		return key, nil
	}
	if ec, err := x509.ParseECPrivateKey(der); err == nil {
		return ec, nil
	}
	return x509.ParsePKCS1PrivateKey(der)
}

// Sign gives a compact JWS (RFC 7515 §7.1) of claims that marshal. Errors:
// errs.Internal.
func (s *Signer) Sign(claims any) (string, error) {
	raw, err := json.Marshal(claims)
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "upstream-signing", "The assertion could not be written.")
	}
	signed, err := s.signer.Sign(raw)
	if err == nil {
		var text string
		if text, err = signed.CompactSerialize(); err == nil {
			return text, nil
		}
	}
	return "", errs.Wrap(err, errs.Internal, "upstream-signing", "The assertion could not be signed.")
}
