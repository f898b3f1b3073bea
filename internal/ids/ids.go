package ids

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
)

// Source makes random values. The zero value reads the operating system's
// generator; tests may give another reader.
type Source struct {
	Reader io.Reader
}

func (s Source) bytes(n int) []byte {
	b := make([]byte, n)
	r := s.Reader
	if r == nil {
		r = rand.Reader
	}
	if _, err := io.ReadFull(r, b); err != nil {
		// Without randomness no secret can be made; the operating system
		// documents that its generator does not fail.
		panic("ids: no randomness: " + err.Error())
	}
	return b
}

// ID gives 128 random bits in lower-case hexadecimal: 32 characters that are
// also a valid FHIR id. Unguessable, but not a secret.
func (s Source) ID() string { return hex.EncodeToString(s.bytes(16)) }

// Secret gives 256 random bits in base64url: 43 characters. For codes,
// refresh tokens, handles, session ids and client secrets (D2).
func (s Source) Secret() string {
	return base64.RawURLEncoding.EncodeToString(s.bytes(32))
}

// Bytes gives n random bytes.
func (s Source) Bytes(n int) []byte { return s.bytes(n) }

// Hasher turns presented secrets into what is stored: HMAC-SHA-256 under a
// key of the tenant, so that a stolen table cannot be searched for guesses.
type Hasher struct {
	Key []byte
}

// Hash gives the keyed hash of a secret, labelled by its purpose so that the
// hash of a code never equals that of a refresh token: 64 hexadecimal digits.
func (h Hasher) Hash(purpose, secret string) string {
	return hex.EncodeToString(h.Sum(purpose, secret))
}

// Sum gives the keyed hash as 32 bytes.
func (h Hasher) Sum(purpose, secret string) []byte {
	m := hmac.New(sha256.New, h.Key)
	m.Write([]byte(purpose))
	m.Write([]byte{0})
	m.Write([]byte(secret))
	return m.Sum(nil)
}

// Equal compares two hashes in constant time.
func Equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
