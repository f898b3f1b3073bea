package registration

import (
	"crypto/rsa"
	"encoding/json"
	"strconv"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/oauth"
)

// What a key set may hold, in bytes, keys and bits.
const (
	maxJWKS    = 64 << 10
	maxKeys    = 32
	minRSABits = 2048
)

// checkKeys judges the key set, given by value or by address (SMART REG-04,
// REG-06).
func (r Rules) checkKeys(c oauth.Client, f *Faults) {
	wants := (c.Kind == oauth.ClientAsymmetric || c.Kind == oauth.ClientBackend) && c.AuthMethod != oauth.MethodTLS
	switch {
	case len(c.JWKS) > 0 && c.JWKSURI != "":
		f.add("jwks", "and jwks_uri exclude each other")
	case wants && len(c.JWKS) == 0 && c.JWKSURI == "" && !r.Certified:
		f.add("jwks", "or jwks_uri is needed for private_key_jwt")
	}
	if c.JWKSURI != "" {
		u, why := complete(c.JWKSURI)
		switch {
		case why != "":
			f.add("jwks_uri", why)
		case u.Scheme == "https" && u.Host != "":
		case u.Scheme != "http" || !r.Development || !loopback(u):
			f.add("jwks_uri", "must be https")
		}
	}
	if len(c.JWKS) > 0 {
		checkSet(c.JWKS, f)
	}
}

// checkSet judges a key set given by value: bare public keys, each with kty, kid
// and what its type needs, and nothing private (SMART REG-06).
func checkSet(raw []byte, f *Faults) {
	if len(raw) > maxJWKS {
		f.add("jwks", "is larger than 64 kB")
		return
	}
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(raw, &set) != nil || len(set.Keys) == 0 || len(set.Keys) > maxKeys {
		f.add("jwks", "must be a JSON Web Key Set with 1 to 32 keys")
		return
	}
	seen := map[string]bool{}
	for i, members := range set.Keys {
		at := "jwks.keys[" + strconv.Itoa(i) + "]"
		kid := text(members["kid"])
		if why := checkKey(members); why != "" {
			f.add(at, why)
		} else if kty := text(members["kty"]) + " " + kid; seen[kty] {
			f.add(at, "has the kid of another key")
		} else {
			seen[kty] = true
		}
	}
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// checkKey gives what is wrong with one key, "" for nothing. Private members are
// looked for before the key is parsed, which is costly for a private one.
func checkKey(members map[string]json.RawMessage) string {
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, present := members[private]; present {
			return "holds a private or secret member: register the public key alone, and replace the key that was sent"
		}
	}
	kid := text(members["kid"])
	if kid == "" || len(kid) > maxText {
		return "has no kid of 1 to 255 characters"
	}
	var needs []string
	switch text(members["kty"]) {
	case "RSA":
		needs = []string{"n", "e"}
	case "EC":
		needs = []string{"crv", "x", "y"}
	default:
		return "must have the kty RSA or EC"
	}
	for _, member := range needs {
		if text(members[member]) == "" {
			return "has no " + member
		}
	}
	raw, err := json.Marshal(members)
	var k jose.JSONWebKey
	if err != nil || k.UnmarshalJSON(raw) != nil || !k.Valid() || !k.IsPublic() {
		return "is not a key that can be read"
	}
	if key, ok := k.Key.(*rsa.PublicKey); ok && key.N.BitLen() < minRSABits {
		return "is an RSA key of fewer than 2048 bits"
	}
	return ""
}
