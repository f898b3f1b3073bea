package upstream

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"

	"github.com/mandate-health/mandate/internal/errs"
)

// Signer signs what proves who we are to the upstream's authorization server:
// ES384 with a P-384 key, RS384 with an RSA key, the two of SMART.
type Signer struct {
	key      crypto.Signer
	alg, kid string
}

// minRSA is the smallest RSA key, in bits.
const minRSA = 2048

// NewSigner reads a private key in PEM. The kid names it to the upstream. Errors:
// errs.Invalid.
func NewSigner(text []byte, kid string) (*Signer, error) {
	refused := errs.New(errs.Invalid, "upstream-key", "A private key in PEM is needed: EC P-384, or RSA of at least 2048 bits.")
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, refused
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if key, err = x509.ParseECPrivateKey(block.Bytes); err != nil {
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		}
	}
	if err != nil {
		return nil, refused
	}
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve.Params().BitSize == 384 {
			return &Signer{k, "ES384", kid}, nil
		}
	case *rsa.PrivateKey:
		if k.N.BitLen() >= minRSA {
			return &Signer{k, "RS384", kid}, nil
		}
	}
	return nil, refused
}

// half is the length of each of the two numbers of an ES384 signature.
const half = 48

// sign gives a compact JWS (RFC 7515 §7.1) of claims that always marshal.
func (s *Signer) sign(claims map[string]any) (string, error) {
	head := map[string]string{"alg": s.alg, "typ": "JWT"}
	if s.kid != "" {
		head["kid"] = s.kid
	}
	text := ""
	for _, part := range []any{head, claims} {
		raw, err := json.Marshal(part)
		if err != nil {
			return "", errs.Wrap(err, errs.Internal, "upstream-signing", "The assertion could not be written.")
		}
		text += base64.RawURLEncoding.EncodeToString(raw) + "."
	}
	text = text[:len(text)-1]
	sum := sha512.Sum384([]byte(text))
	// Without a source of randomness both are deterministic (RFC 6979, RFC 8017).
	signature, err := s.key.Sign(nil, sum[:], crypto.SHA384)
	if err == nil && s.alg == "ES384" {
		var pair struct{ R, S *big.Int }
		if _, err = asn1.Unmarshal(signature, &pair); err == nil {
			signature = append(pair.R.FillBytes(make([]byte, half)), pair.S.FillBytes(make([]byte, half))...)
		}
	}
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "upstream-signing", "The assertion could not be signed.")
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
