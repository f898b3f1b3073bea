package main

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/metrics"
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

// countsPath is where a development server tells what it has allocated so far.
const countsPath = "/dev/profile/counts"

// allocated is what a process has allocated since its start.
type allocated struct {
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

// counts asks a server for them.
func (r *rig) counts(s *side) (allocated, error) {
	c := &conn{addr: s.addr, clock: r.clock}
	defer c.close()
	got, err := c.send(request{method: http.MethodGet, path: countsPath, host: s.host}.bytes())
	if err != nil {
		return allocated{}, err
	}
	if got.status != http.StatusOK {
		return allocated{}, refused("no counts of allocations", got)
	}
	var a allocated
	return a, json.Unmarshal(got.body, &a)
}

// tellCounts answers as a development server does.
func tellCounts(w http.ResponseWriter, _ *http.Request) {
	seen := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(seen)
	raw, err := json.Marshal(allocated{seen[0].Value.Uint64(), seen[1].Value.Uint64()})
	if err != nil {
		fail(w, err)
		return
	}
	answerJSON(w, raw)
}
