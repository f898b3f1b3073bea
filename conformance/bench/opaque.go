package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"strings"
)

// The floor's opaque access tokens: AES-256-GCM under one key for all.

var errBadHandle = errors.New("not a valid handle")

func newHandles(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal gives claims in the form that the client gets: signed or encrypted.
func (f *floor) seal(client string, claims []byte) (string, error) {
	if client == opaqueID {
		return b64.EncodeToString(f.handles.Seal(nil, nil, claims, nil)), nil //nolint:gosec // the AEAD makes its nonces
	}
	return signES256(f.es, claims)
}

// open checks a token of either form and decodes its claims.
func (f *floor) open(token string, claims any) error {
	if strings.Contains(token, ".") {
		return verify(token, &f.es.PublicKey, claims)
	}
	raw, err := b64.DecodeString(token)
	if err != nil {
		return errBadHandle
	}
	plain, err := f.handles.Open(nil, nil, raw, nil)
	if err != nil {
		return errBadHandle
	}
	return json.Unmarshal(plain, claims)
}
