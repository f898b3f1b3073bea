package ids

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"sync"
	"time"
)

// Hasher turns presented secrets into what is stored: HMAC-SHA-256 under a
// key of the tenant, so that a stolen table cannot be searched for guesses.
// Where the key is replaced in time (HashKeys), a secret begins with the mark of
// the key that was the newest when it was made, and is hashed under that one for
// as long as it lives; so one look-up finds it before, during and after a
// rotation (SE-03).
type Hasher struct {
	// Key is the one key where Keys is nil.
	Key []byte
	// Keys are several, of which the newest hashes what is made now.
	Keys HashKeys

	// one is the one key of Of and At where there are Keys.
	one  *HashKey
	mark string
}

// HashKeys are the keys of a tenant's hash. A key is known by its mark, which
// ends with MarkEnd; the first key of an older store has none.
type HashKeys interface {
	// HashKey gives the key of a mark, and that of the newest for one that is
	// not known.
	HashKey(mark string) *HashKey
	// NewestHashKey gives the key, with its mark, that is the newest at a time;
	// the zero time means now.
	NewestHashKey(at time.Time) (mark string, key *HashKey)
}

// HashKey is a key that hashes often. To prepare HMAC costs as much as a hash, so
// what was prepared serves again. It is safe for concurrent use.
type HashKey struct{ prepared sync.Pool }

// NewHashKey gives the key of some bytes, which may not be changed any more.
func NewHashKey(secret []byte) *HashKey {
	k := &HashKey{}
	k.prepared.New = func() any { return &prepared{mac: hmac.New(sha256.New, secret)} }
	return k
}

// prepared hashes one text at a time.
type prepared struct {
	mac  hash.Hash
	text []byte
}

// sum hashes a purpose and a secret, and keeps nothing of either.
func (k *HashKey) sum(purpose, secret string) []byte {
	p := k.prepared.Get().(*prepared)
	p.text = append(append(append(p.text[:0], purpose...), 0), secret...)
	p.mac.Write(p.text)
	out := p.mac.Sum(nil)
	p.mac.Reset()
	clear(p.text)
	k.prepared.Put(p)
	return out
}

// MarkEnd ends a mark. It may stand in URLs, forms and cookies, and is no digit
// of base64url.
const MarkEnd = "~"

// maxMark is the longest mark, in bytes.
const maxMark = 16

// Mark gives the mark with which a text begins, "" when there is none.
func Mark(text string) string {
	if i := strings.IndexByte(text[:min(len(text), maxMark)], MarkEnd[0]); i > 0 {
		return text[:i+1]
	}
	return ""
}

// Hash gives the keyed hash of a secret, labelled by its purpose so that the
// hash of a code never equals that of a refresh token: 64 hexadecimal digits.
func (h Hasher) Hash(purpose, secret string) string {
	return hex.EncodeToString(h.Sum(purpose, secret))
}

// Sum gives the keyed hash as 32 bytes.
func (h Hasher) Sum(purpose, secret string) []byte {
	return h.Of(secret).sum(purpose, secret)
}

// sum is Sum under the one key of Of and At.
func (h Hasher) sum(purpose, secret string) []byte {
	if h.one != nil {
		return h.one.sum(purpose, secret)
	}
	return NewHashKey(h.Key).sum(purpose, secret)
}

// Of gives the hash under the one key whose mark stands at the begin of a text.
func (h Hasher) Of(text string) Hasher {
	if h.Keys == nil {
		return h
	}
	mark := Mark(text)
	return Hasher{one: h.Keys.HashKey(mark), mark: mark}
}

// At gives the hash under the one key that is, or was, the newest at a time; the
// zero time means now. What is not a secret with a mark is hashed so: by the time
// at which it was first shown.
func (h Hasher) At(at time.Time) Hasher {
	if h.Keys == nil {
		return h
	}
	mark, key := h.Keys.NewestHashKey(at)
	return Hasher{one: key, mark: mark}
}

// Mark is that of the one key of Of and At.
func (h Hasher) Mark() string { return h.mark }

// Secret gives a fresh secret of 256 bits with the mark of the newest key.
func (h Hasher) Secret(s Source) string { return h.At(time.Time{}).mark + s.Secret() }
