package password

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // how others stored passwords; replaced at the first log-in
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"

	"golang.org/x/text/unicode/norm"
)

// The most that a hash of another system may cost, so that no import exhausts the
// machine.
const (
	maxForeignMemory = 64 << 20
	maxRounds        = 2_000_000
	maxBcrypt        = 14
	maxForeignKey    = 64
)

// foreign verifies a password against the hash of another system.
type foreign func(password []byte) bool

// Known reports whether Verify can read a stored hash: one of its own, or one of
// another system (bcrypt, PBKDF2 of Django, Keycloak and passlib, scrypt, salted SHA
// of LDAP, Argon2 of any kind) within bounds.
func Known(stored string) bool {
	if p, ok := parse(stored); ok {
		return p.memory<<10 <= maxForeignMemory
	}
	_, ok := readForeign(stored)
	return ok
}

// readForeign reads a hash of another system; ok is false for any other text.
func readForeign(stored string) (foreign, bool) {
	switch {
	case strings.HasPrefix(stored, "$2a$"), strings.HasPrefix(stored, "$2b$"), strings.HasPrefix(stored, "$2y$"):
		return readBcrypt(stored)
	case strings.HasPrefix(stored, "pbkdf2_"):
		return readDjango(stored)
	case strings.HasPrefix(stored, "$pbkdf2-"):
		return readPBKDF2(stored)
	case strings.HasPrefix(stored, "$scrypt$"):
		return readScrypt(stored)
	case strings.HasPrefix(stored, "$argon2i$"):
		return readArgon2i(stored)
	case strings.HasPrefix(stored, "{"):
		return readLDAP(stored)
	}
	return nil, false
}

// matches tries the password as it was typed, which is what other systems hash, and
// in its normal form.
func (f foreign) matches(password string) bool {
	if f([]byte(password)) {
		return true
	}
	normal := norm.NFC.String(password)
	return normal != password && f([]byte(normal))
}

func readBcrypt(stored string) (foreign, bool) {
	cost, err := bcrypt.Cost([]byte(stored))
	if err != nil || cost > maxBcrypt || len(stored) != 60 {
		return nil, false
	}
	return func(password []byte) bool {
		return bcrypt.CompareHashAndPassword([]byte(stored), password) == nil
	}, true
}

func digest(name string) func() hash.Hash {
	return map[string]func() hash.Hash{
		"sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New,
	}[name]
}

// readDjango reads "pbkdf2_sha256$rounds$salt$base64".
func readDjango(stored string) (foreign, bool) {
	parts := strings.Split(stored, "$")
	if len(parts) != 4 {
		return nil, false
	}
	key, err := base64.StdEncoding.DecodeString(parts[3])
	if err != nil {
		return nil, false
	}
	return stretched(strings.TrimPrefix(parts[0], "pbkdf2_"), parts[1], []byte(parts[2]), key)
}

// readPBKDF2 reads "$pbkdf2-sha256$rounds$salt$key", with base64 as passlib or as
// PHC writes it; rounds may be "i=rounds".
func readPBKDF2(stored string) (foreign, bool) {
	parts := strings.Split(stored, "$")
	if len(parts) != 5 {
		return nil, false
	}
	salt, ok := loose(parts[3])
	key, keyOK := loose(parts[4])
	if !ok || !keyOK {
		return nil, false
	}
	return stretched(strings.TrimPrefix(parts[1], "pbkdf2-"), strings.TrimPrefix(parts[2], "i="), salt, key)
}

// loose reads base64 without padding in which "." may stand for "+".
func loose(text string) ([]byte, bool) {
	out, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.ReplaceAll(text, ".", "+"), "="))
	return out, err == nil
}

func stretched(name, roundsText string, salt, key []byte) (foreign, bool) {
	rounds, err := strconv.Atoi(roundsText)
	of := digest(name)
	if err != nil || of == nil || rounds < 1 || rounds > maxRounds || len(salt) == 0 || len(key) < 16 || len(key) > 2*maxForeignKey {
		return nil, false
	}
	return func(password []byte) bool {
		got, err := pbkdf2.Key(of, string(password), salt, rounds, len(key))
		return err == nil && subtle.ConstantTimeCompare(got, key) == 1
	}, true
}

// readScrypt reads "$scrypt$ln=15,r=8,p=1$salt$key".
func readScrypt(stored string) (foreign, bool) {
	parts := strings.Split(stored, "$")
	if len(parts) != 5 {
		return nil, false
	}
	v, ok := numbers(parts[2], "ln", "r", "p")
	salt, saltOK := loose(parts[3])
	key, keyOK := loose(parts[4])
	if !ok || !saltOK || !keyOK || v[0] < 1 || v[0] > 20 || v[1] < 1 || v[1] > 64 || v[2] < 1 || v[2] > 16 ||
		128*v[1]<<v[0] > maxForeignMemory || len(key) < 16 || len(key) > maxForeignKey {
		return nil, false
	}
	return func(password []byte) bool {
		got, err := scrypt.Key(password, salt, 1<<v[0], v[1], v[2], len(key))
		return err == nil && subtle.ConstantTimeCompare(got, key) == 1
	}, true
}

// readArgon2i reads the older kind of Argon2.
func readArgon2i(stored string) (foreign, bool) {
	p, ok := parse(strings.Replace(stored, "$argon2i$", "$argon2id$", 1))
	if !ok || p.memory<<10 > maxForeignMemory {
		return nil, false
	}
	return func(password []byte) bool {
		got := argon2.Key(password, p.salt, p.passes, p.memory, p.lanes, uint32(len(p.key)))
		return subtle.ConstantTimeCompare(got, p.key) == 1
	}, true
}

// readLDAP reads "{SSHA}base64", also of SHA-256 and SHA-512: the digest of password
// and salt, and the salt.
func readLDAP(stored string) (foreign, bool) {
	scheme, text, ok := strings.Cut(stored[1:], "}")
	of := map[string]func() hash.Hash{"SSHA": sha1.New, "SSHA256": sha256.New, "SSHA512": sha512.New}[strings.ToUpper(scheme)]
	raw, err := base64.StdEncoding.DecodeString(text)
	if !ok || of == nil || err != nil || len(raw) <= of().Size() || len(raw) > 2*maxForeignKey {
		return nil, false
	}
	want, salt := raw[:of().Size()], raw[of().Size():]
	return func(password []byte) bool {
		h := of()
		_, _ = h.Write(bytes.Join([][]byte{password, salt}, nil))
		return subtle.ConstantTimeCompare(h.Sum(nil), want) == 1
	}, true
}

// numbers reads "a=1,b=2" with exactly these names in order.
func numbers(text string, names ...string) ([]int, bool) {
	parts := strings.Split(text, ",")
	if len(parts) != len(names) {
		return nil, false
	}
	out := make([]int, len(names))
	for i, part := range parts {
		n, err := strconv.Atoi(strings.TrimPrefix(part, names[i]+"="))
		if err != nil || n < 0 {
			return nil, false
		}
		out[i] = n
	}
	return out, true
}
