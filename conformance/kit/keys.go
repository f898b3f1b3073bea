package kit

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/json"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/ids"
)

// randomness reads from the machine's generator.
type randomness struct{ ids.Source }

func (r randomness) Read(p []byte) (int, error) { return copy(p, r.Bytes(len(p))), nil }

// MakeKeys gives a fresh private key set with a key for ES384 and one for ES256.
func MakeKeys(name string) (json.RawMessage, error) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), randomness{})
	if err != nil {
		return nil, err
	}
	small, err := ecdsa.GenerateKey(elliptic.P256(), randomness{})
	if err != nil {
		return nil, err
	}
	return json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: key, KeyID: name + "-es384", Algorithm: "ES384", Use: "sig"}, {Key: small, KeyID: name + "-es256", Algorithm: "ES256", Use: "sig"},
	}})
}

// KeyClient gives the client whose keys the checks may publish at KeyHost.
func (t *Target) KeyClient() Client {
	for _, c := range t.Clients {
		if t.KeyHost != "" && strings.HasPrefix(c.JWKSURI, "http://"+t.KeyHost+"/") {
			return c
		}
	}
	return Client{}
}
