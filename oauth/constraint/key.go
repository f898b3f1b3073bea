package constraint

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"
)

// The sizes of RSA keys: smaller ones are weak, larger ones costly to check.
const (
	minRSABits = 2048
	maxRSABits = 4096
)

// readKey reads the public key of a proof. One with private or symmetric
// members is refused before it is parsed, because that would be costly, and so
// is one that says to be for something else.
func readKey(raw []byte) (jose.JSONWebKey, error) {
	var key jose.JSONWebKey
	if len(raw) > maxKey {
		return key, refused("dpop-proof-key", "its key is too large")
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return key, refused("dpop-proof-key", "its jwk cannot be read")
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, present := members[name]; present {
			return key, refused("dpop-proof-key-private", "its jwk must be a public key alone")
		}
	}
	// Certificates in the key are not asked for and would only be parsed.
	for _, name := range []string{"x5c", "x5t", "x5u", "x5t#S256"} {
		delete(members, name)
	}
	lean, err := json.Marshal(members)
	if err != nil || key.UnmarshalJSON(lean) != nil || !key.IsPublic() || !key.Valid() {
		return key, refused("dpop-proof-key", "its jwk is not a public key")
	}
	if key.Use != "" && key.Use != "sig" {
		return key, refused("dpop-proof-key", "its jwk is not for signatures")
	}
	return key, nil
}

// fits reports whether a key is of the kind and strength that an algorithm
// needs.
func fits(key any, alg jose.SignatureAlgorithm) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return alg == jose.ES256 && k.Curve == elliptic.P256() || alg == jose.ES384 && k.Curve == elliptic.P384()
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return (alg == jose.RS256 || alg == jose.PS256) && bits >= minRSABits && bits <= maxRSABits && k.E > 1 && k.E <= 1<<32-1
	case ed25519.PublicKey:
		return alg == jose.EdDSA
	}
	return false
}
