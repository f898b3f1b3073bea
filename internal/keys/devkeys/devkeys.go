package devkeys

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
)

// Pair is one key set in both forms.
type Pair struct {
	Private json.RawMessage `json:"private"`
	Public  json.RawMessage `json:"public"`
}

// Make gives a key set with one ES384 and one RS384 key (SMART ASY-02).
// Errors: errs.Internal.
func Make(name string) (Pair, error) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return Pair{}, failed(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return Pair{}, failed(err)
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: ec, KeyID: name + "-es384", Algorithm: "ES384", Use: "sig"},
		{Key: rs, KeyID: name + "-rs384", Algorithm: "RS384", Use: "sig"},
	}}
	var public jose.JSONWebKeySet
	for _, k := range set.Keys {
		public.Keys = append(public.Keys, k.Public())
	}
	var p Pair
	if p.Private, err = json.Marshal(set); err != nil {
		return Pair{}, failed(err)
	}
	if p.Public, err = json.Marshal(public); err != nil {
		return Pair{}, failed(err)
	}
	return p, nil
}

func failed(err error) error {
	return errs.Wrap(err, errs.Internal, "demo-keys-not-made", "The demonstration keys could not be made.")
}
