package ids

import (
	"encoding/base64"
	"strings"
	"time"
)

// ownPurpose labels the hash of Own, half is how many of its bytes are random.
const (
	ownPurpose = "own"
	half       = 16
)

// Own gives a fresh secret in the form of Secret of which Made tells, without a
// look-up, that it is ours: 128 random bits and as many of a keyed hash of them.
func (h Hasher) Own(s Source) string {
	h = h.At(time.Time{})
	random := s.Bytes(half)
	return h.mark + base64.RawURLEncoding.EncodeToString(append(random, h.seal(random)...))
}

// Made reports whether Own made a text under a key that is still known.
func (h Hasher) Made(text string) bool {
	h = h.Of(text)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(strings.TrimPrefix(text, h.mark))
	return err == nil && len(raw) == 2*half && Equal(string(raw[half:]), string(h.seal(raw[:half])))
}

func (h Hasher) seal(random []byte) []byte {
	return h.sum(ownPurpose, string(random))[:half]
}
