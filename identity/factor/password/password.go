package password

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// Limits on a password. There are no composition rules (NI-05).
const (
	// MinLength is in characters (NIST 800-63B-4 §3.1.1.2, with a second
	// factor).
	MinLength = 8
	// MaxBytes bounds the work before hashing.
	MaxBytes = 1024
)

const (
	saltBytes = 16
	keyBytes  = 32
	// maxMemoryKiB bounds what a stored hash may ask for, so that a changed
	// row cannot exhaust the machine.
	maxMemoryKiB = 1 << 18
	maxPasses    = 16
	maxLanes     = 16
)

// Config says what a hash costs. The zero value gives the costs OWASP
// recommends: 19 MiB, two passes, one lane.
type Config struct {
	// MemoryKiB is the memory of one hash in KiB.
	MemoryKiB uint32
	// Passes is the number of passes over that memory.
	Passes uint32
	// Slots is how many hashes may run at once; 0 means one per processor,
	// at most 8. Memory in use never exceeds Slots × MemoryKiB.
	Slots int
	// Source gives salts.
	Source ids.Source
	// Breached lists what may not be chosen; nil lists nothing.
	Breached *Breached
}

// Hasher hashes and verifies. It is safe for concurrent use.
type Hasher struct {
	cfg   Config
	slots slots
}

// New makes a Hasher.
func New(cfg Config) *Hasher {
	if cfg.MemoryKiB == 0 {
		cfg.MemoryKiB = 19 * 1024
	}
	if cfg.Passes == 0 {
		cfg.Passes = 2
	}
	if cfg.Slots <= 0 {
		cfg.Slots = min(runtime.NumCPU(), 8)
	}
	return &Hasher{cfg: cfg, slots: slots{free: cfg.Slots}}
}

// Hash gives the PHC string of a new password. Errors: errs.Invalid with code
// password-too-short, password-too-long, password-not-text or password-breached;
// errs.Unavailable when ctx ends while waiting for a slot.
func (h *Hasher) Hash(ctx context.Context, password string) ([]byte, error) {
	switch {
	case len(password) > MaxBytes:
		return nil, errs.New(errs.Invalid, "password-too-long", fmt.Sprintf("A password has at most %d bytes.", MaxBytes))
	case !utf8.ValidString(password):
		return nil, errs.New(errs.Invalid, "password-not-text", "A password is UTF-8 text.")
	case utf8.RuneCountInString(norm.NFC.String(password)) < MinLength:
		return nil, errs.New(errs.Invalid, "password-too-short", fmt.Sprintf("A password has at least %d characters.", MinLength))
	}
	if h.cfg.Breached != nil {
		known, err := h.cfg.Breached.Has(password)
		if err != nil {
			return nil, err
		}
		if known {
			return nil, errs.New(errs.Invalid, "password-breached", "This password is known from a breach; choose another.")
		}
	}
	return h.Rehash(ctx, password)
}

// Verify reports whether the password belongs to the PHC string. An empty
// hash stands for an account that is unknown or has no password: the same
// work is done and the answer is false. So it is for a password that is too
// long. Of those who wait for a slot, whoever is on a known device comes first. Errors:
// errs.Internal when the stored hash cannot be read; errs.Unavailable when ctx ends
// while waiting for a slot.
func (h *Hasher) Verify(ctx context.Context, hash []byte, password string, known bool) (bool, error) {
	p := h.params(make([]byte, saltBytes))
	if old, ok := readForeign(string(hash)); ok {
		return h.verifyForeign(ctx, old, password, known)
	}
	if len(hash) > 0 {
		var ok bool
		if p, ok = parse(string(hash)); !ok {
			return false, errs.New(errs.Internal, "password-hash-unreadable", "A stored password hash is not a readable Argon2id string.")
		}
	}
	if len(hash) > 0 && h.Stale(hash) {
		// A hash of another cost never ends sooner than the work for nobody.
		if _, err := h.derive(ctx, h.params(make([]byte, saltBytes)), "", known); err != nil {
			return false, err
		}
	}
	tooLong := len(password) > MaxBytes
	if tooLong {
		password = password[:MaxBytes]
	}
	key, err := h.derive(ctx, p, password, known)
	if err != nil {
		return false, err
	}
	same := subtle.ConstantTimeCompare(key, p.key) == 1
	return same && len(hash) > 0 && !tooLong, nil
}

// verifyForeign does the work of another system in a slot, and as much as for nobody
// besides: it never ends sooner than for an unknown account.
func (h *Hasher) verifyForeign(ctx context.Context, old foreign, password string, known bool) (bool, error) {
	if _, err := h.derive(ctx, h.params(make([]byte, saltBytes)), "", known); err != nil {
		return false, err
	}
	if err := h.slots.enter(ctx, known); err != nil {
		return false, err
	}
	defer h.slots.leave()
	return len(password) <= MaxBytes && old.matches(password), nil
}

// Stale reports whether a stored hash is of another system or of another cost.
func (h *Hasher) Stale(hash []byte) bool {
	p, ok := parse(string(hash))
	return !ok || p.memory != h.cfg.MemoryKiB || p.passes != h.cfg.Passes || p.lanes != 1
}

// Rehash gives the PHC string of a password that was right, whatever would be said of
// it if it were new. Errors: errs.Unavailable when ctx ends while waiting for a slot.
func (h *Hasher) Rehash(ctx context.Context, password string) ([]byte, error) {
	p := h.params(h.cfg.Source.Bytes(saltBytes))
	key, err := h.derive(ctx, p, password, true)
	if err != nil {
		return nil, err
	}
	p.key = key
	return []byte(p.String()), nil
}

func (h *Hasher) params(salt []byte) params {
	return params{memory: h.cfg.MemoryKiB, passes: h.cfg.Passes, lanes: 1, salt: salt, key: make([]byte, keyBytes)}
}

func (h *Hasher) derive(ctx context.Context, p params, password string, known bool) ([]byte, error) {
	if err := h.slots.enter(ctx, known); err != nil {
		return nil, err
	}
	defer h.slots.leave()
	return argon2.IDKey(norm.NFC.Bytes([]byte(password)), p.salt, p.passes, p.memory, p.lanes, uint32(len(p.key))), nil
}

// params is a hash in the PHC string format.
type params struct {
	memory, passes uint32
	lanes          uint8
	salt, key      []byte
}

// String gives "$argon2id$v=19$m=…,t=…,p=…$salt$key", base64 without padding.
func (p params) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.memory, p.passes, p.lanes, b64.EncodeToString(p.salt), b64.EncodeToString(p.key))
}

func parse(s string) (params, bool) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return params{}, false
	}
	var p params
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.passes, &p.lanes); err != nil {
		return params{}, false
	}
	var err error
	if p.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return params{}, false
	}
	if p.key, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return params{}, false
	}
	bounded := p.memory >= 8 && p.memory <= maxMemoryKiB && p.passes >= 1 && p.passes <= maxPasses &&
		p.lanes >= 1 && p.lanes <= maxLanes && len(p.salt) >= 8 && len(p.key) >= 16 && len(p.key) <= 64
	return p, bounded && p.String() == s
}

// Cost gives the memory in KiB and the passes of one hash.
func (h *Hasher) Cost() (memoryKiB, passes uint32) { return h.cfg.MemoryKiB, h.cfg.Passes }

// Ceiling gives how many hashes run at once.
func (h *Hasher) Ceiling() int { return h.cfg.Slots }

// Waiting gives how many hashes wait for others to end.
func (h *Hasher) Waiting() int { return h.slots.waiting() }
