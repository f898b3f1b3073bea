package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
)

// jwsText is the alphabet of a compact JWS.
var jwsText = base64.RawURLEncoding

// es256Half is the length of each of the two numbers of an ES256 signature
// (RFC 7518 §3.4).
const es256Half = 32

// header is what the tokens of this server say of themselves.
type header struct {
	Alg string `json:"alg"`
	KID string `json:"kid"`
	Typ string `json:"typ"`
}

// sign writes a JWS in its compact form (RFC 7515 §7.1). It is written here
// because a token is signed by nearly every request, and what go-jose builds
// for a signature of any form costs more than the bytes. What is presented is
// read by go-jose.
func (k *ringKey) sign(typ string, claims any) (string, error) {
	head, err := json.Marshal(header{Alg: k.stored.Alg, KID: k.stored.KID, Typ: typ})
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "signing", "The header could not be written.")
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "signing", "The claims could not be written.")
	}
	text := make([]byte, 0, jwsText.EncodedLen(len(head))+jwsText.EncodedLen(len(payload))+jwsText.EncodedLen(rsaBits/8)+2)
	text = append(jwsText.AppendEncode(text, head), '.')
	text = jwsText.AppendEncode(text, payload)
	sum := sha256.Sum256(text)
	signature, err := k.signature(sum[:])
	if errs.Is(err, errs.Unavailable) {
		return "", err // the module that holds the key is away
	}
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "signing", "The claims could not be signed.")
	}
	return string(jwsText.AppendEncode(append(text, '.'), signature)), nil
}

// signs reports whether a private key is one of the algorithm.
func signs(alg jose.SignatureAlgorithm, private any) bool {
	signer, ok := private.(crypto.Signer)
	return ok && verifies(alg, signer.Public())
}

// verifies reports whether a public key is one of the algorithm.
func verifies(alg jose.SignatureAlgorithm, public crypto.PublicKey) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return alg == jose.ES256 && key.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return alg == jose.RS256
	}
	return false
}

// signature signs a SHA-256 sum with a key that signs lets pass.
func (k *ringKey) signature(sum []byte) ([]byte, error) {
	switch key := k.private.(type) {
	case *rsa.PrivateKey:
		return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum)
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum)
		if err != nil {
			return nil, err
		}
		return fixed(r, s)
	case crypto.Signer:
		return jwsSignature(key, sum)
	}
	return nil, errs.New(errs.Internal, "signing-key-unreadable", "A stored signing key cannot sign.")
}
