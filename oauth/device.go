package oauth

import (
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/ids"
)

// DeviceLife is how long a device waits for a person (RFC 8628 §3.2), and
// DevicePoll how long it waits between two questions at least.
const (
	DeviceLife = 15 * time.Minute
	DevicePoll = 5 * time.Second
	// DevicePollMost is the longest wait to which a device that asks too often is
	// slowed down.
	DevicePollMost = time.Minute
)

// DeviceRequest is the request of a device without keyboard (RFC 8628).
type DeviceRequest struct {
	Tenant string
	// Hash is the keyed hash of the device code, UserHash of the user code.
	Hash     string
	UserHash string
	ClientID string
	Scope    string
	Created  time.Time
	Expires  time.Time
	// Interval is how long the device has to wait between two questions, Polled
	// when it asked last.
	Interval time.Duration
	Polled   time.Time
	// Answered is when a person answered, zero before; GrantID is empty when the
	// answer was no.
	Answered time.Time
	GrantID  string
	// Used is when the device took its tokens, zero before.
	Used time.Time
}

// Waits reports whether a person may still answer at t.
func (d DeviceRequest) Waits(t time.Time) bool { return d.Answered.IsZero() && t.Before(d.Expires) }

// userAlphabet has no vowels, so that no code is a word, and no digits that look
// like letters (RFC 8628 §6.1); eight of its characters have 34 bits.
const (
	userAlphabet = "BCDFGHJKLMNPQRSTVWXZ"
	userLength   = 8
)

// NewUserCode makes a code for a person to type.
func NewUserCode(src ids.Source) string {
	var b strings.Builder
	for b.Len() < userLength {
		// 240 is the greatest multiple of 20 below 256: no letter is likelier.
		if n := int(src.Bytes(1)[0]); n < 240 {
			b.WriteByte(userAlphabet[n%len(userAlphabet)])
		}
	}
	return b.String()
}

// ReadUserCode reads what a person typed: in any case, with spaces, dashes or
// dots in between. It gives "" for what can be no code.
func ReadUserCode(typed string) string {
	if len(typed) > 64 {
		return ""
	}
	code := strings.Map(func(c rune) rune {
		if strings.ContainsRune(" -–—._\t\u00a0", c) {
			return -1
		}
		return c
	}, strings.ToUpper(typed))
	if len(code) != userLength || strings.Trim(code, userAlphabet) != "" {
		return ""
	}
	return code
}

// ShowUserCode writes a code as devices and pages show it.
func ShowUserCode(code string) string {
	if len(code) != userLength {
		return code
	}
	return code[:userLength/2] + "-" + code[userLength/2:]
}

// UserCodeHashes gives the forms under which a code that was made within
// DeviceLife before t may be stored; the first is the one for a code made now.
func UserCodeHashes(h ids.Hasher, code string, t time.Time) []string {
	out := []string{h.At(t).Hash("user-code", code)}
	if before := h.At(t.Add(-DeviceLife)).Hash("user-code", code); before != out[0] {
		out = append(out, before)
	}
	return out
}

// DeviceHash gives the form in which a device code is stored.
func DeviceHash(h ids.Hasher, code string) string { return h.Hash("device-code", code) }
