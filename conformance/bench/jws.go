package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
)

// The floor's own JWS (RFC 7515): the standard library and nothing else, so
// that no peer can do it with less.

var (
	b64        = base64.RawURLEncoding
	errBadJWS  = errors.New("not a valid JWS")
	es256Head  = head("ES256")
	rs256Head  = head("RS256")
	tokenSigns = elliptic.P256()
)

func head(alg string) string {
	return b64.EncodeToString([]byte(`{"alg":"` + alg + `","kid":"floor","typ":"JWT"}`))
}

// signES256 signs claims with a P-256 key.
func signES256(key *ecdsa.PrivateKey, claims []byte) (string, error) {
	input := es256Head + "." + b64.EncodeToString(claims)
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(nil, key, sum[:])
	if err != nil {
		return "", err
	}
	var sig [64]byte
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + b64.EncodeToString(sig[:]), nil
}

// signRS256 signs claims with an RSA key.
func signRS256(key *rsa.PrivateKey, claims []byte) (string, error) {
	input := rs256Head + "." + b64.EncodeToString(claims)
	sum := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return input + "." + b64.EncodeToString(sig), nil
}

// verify checks a compact JWS and decodes its claims. The key decides the
// algorithm: RSA is RS384, P-384 is ES384, P-256 is ES256.
func verify(jws string, key crypto.PublicKey, claims any) error {
	dot := strings.LastIndexByte(jws, '.')
	first := strings.IndexByte(jws, '.')
	if first < 0 || dot <= first {
		return errBadJWS
	}
	sig, err := b64.DecodeString(jws[dot+1:])
	if err != nil {
		return errBadJWS
	}
	if !signed([]byte(jws[:dot]), sig, key) {
		return errBadJWS
	}
	payload, err := b64.DecodeString(jws[first+1 : dot])
	if err != nil {
		return errBadJWS
	}
	return json.Unmarshal(payload, claims)
}

func signed(input, sig []byte, key crypto.PublicKey) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		sum := sha512.Sum384(input)
		return rsa.VerifyPKCS1v15(k, crypto.SHA384, sum[:], sig) == nil
	case *ecdsa.PublicKey:
		half := (k.Curve.Params().BitSize + 7) / 8
		if len(sig) != 2*half {
			return false
		}
		sum := digest(input, k.Curve)
		return ecdsa.Verify(k, sum, new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:]))
	}
	return false
}

func digest(input []byte, curve elliptic.Curve) []byte {
	if curve == elliptic.P384() {
		sum := sha512.Sum384(input)
		return sum[:]
	}
	sum := sha256.Sum256(input)
	return sum[:]
}

// kid gives the key id of a compact JWS.
func kid(jws string) string {
	first, _, _ := strings.Cut(jws, ".")
	raw, err := b64.DecodeString(first)
	if err != nil {
		return ""
	}
	return member(raw, "kid")
}
