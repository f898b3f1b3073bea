package ids

import (
	"crypto/hmac"
	"crypto/rand"
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

// Equal compares two hashes in constant time.
func Equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
