package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math/bits"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// Challenge is the cause of an errs.RateLimited error with code challenge-needed:
// work that a browser does by itself, in place of a puzzle (SM-18), before the next
// try is looked at.
type Challenge struct {
	// Token goes back with the next try, with Work or after Wait.
	Token string
	// Bits is how many leading zero bits the SHA-256 of "TOKEN:WORK" has to have.
	Bits int
	// Wait is how long somebody waits whose browser does no work.
	Wait time.Duration
}

// Error gives the waiting time.
func (c *Challenge) Error() string { return "challenged; otherwise wait " + c.Wait.String() }

// ChallengeOf gives the challenge of a refusal, nil when it is none.
func ChallengeOf(err error) *Challenge {
	var c *Challenge
	if errors.As(err, &c) {
		return c
	}
	return nil
}

// challengeLife is how long a challenge may be answered.
const challengeLife = 30 * time.Minute

// Work does the work of a challenge, for programs that sign in as a browser does.
func Work(token string, zeros int) string {
	var n uint64
	for ; ; n++ {
		if work := base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, n)); worked(token, work, zeros) {
			return work
		}
	}
}

func worked(token, work string, zeros int) bool {
	if work == "" || len(work) > 64 {
		return false
	}
	sum := sha256.Sum256([]byte(token + ":" + work))
	return bits.LeadingZeros32(binary.BigEndian.Uint32(sum[:4])) >= zeros
}

// challenged refuses a try until a challenge is answered: a new one, or the one
// that was given when it may still be answered.
func (s *Service) challenged(t try, now time.Time) error {
	token := t.meta.Challenge
	if _, ok := s.given(t, now); !ok {
		at := base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli())))
		body := at + "." + s.d.IDs.ID()
		token = body + "." + s.proves(t, body)
	}
	p := s.d.Policy
	return errs.Wrap(&Challenge{Token: token, Bits: p.WorkBits, Wait: p.WorkWait}, errs.RateLimited, challengeNeeded,
		"There were many tries. The next one needs some work or time.")
}

func (s *Service) proves(t try, body string) string {
	return s.d.Hasher.Hash("challenge", body+"."+t.account)
}

// given tells when the challenge of a try was made; ok is false for one that is
// not ours, is for another account, or is over.
func (s *Service) given(t try, now time.Time) (at time.Time, ok bool) {
	i := strings.LastIndexByte(t.meta.Challenge, '.')
	if i < 0 || len(t.meta.Challenge) > 256 || !ids.Equal(t.meta.Challenge[i+1:], s.proves(t, t.meta.Challenge[:i])) {
		return at, false
	}
	first, _, _ := strings.Cut(t.meta.Challenge, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil || len(raw) != 8 {
		return at, false
	}
	at = time.UnixMilli(int64(binary.BigEndian.Uint64(raw)))
	return at, now.Sub(at) < challengeLife
}

// workDone reports whether a try carries a challenge with its work, or one that was
// waited for: not more often than Policy.PerWait from one address prefix.
func (s *Service) workDone(ctx context.Context, st Store, t try, now time.Time) (bool, error) {
	at, ok := s.given(t, now)
	if !ok {
		return false, nil
	}
	if used, err := st.Failures(ctx, t.tenant, t.spent(), now, challengeLife); err != nil || used > 0 {
		return false, err
	}
	if worked(t.meta.Challenge, t.meta.Work, s.d.Policy.WorkBits) {
		return true, nil
	}
	if now.Sub(at) < s.d.Policy.WorkWait {
		return false, nil
	}
	n, err := st.Failures(ctx, t.tenant, t.waited(), now, s.d.Policy.PerWait.Window)
	return n < s.d.Policy.PerWait.Tries, err
}

// spendWork uses a challenge up; used is true when another try did. Without a challenge
// it does nothing.
func (s *Service) spendWork(ctx context.Context, tx Tx, t try, now time.Time) (used bool, err error) {
	if _, ok := s.given(t, now); !ok {
		return false, nil
	}
	n, err := tx.CountFailure(ctx, t.tenant, t.spent(), now, challengeLife)
	if err == nil && n == 1 && !worked(t.meta.Challenge, t.meta.Work, s.d.Policy.WorkBits) {
		_, err = tx.CountFailure(ctx, t.tenant, t.waited(), now, s.d.Policy.PerWait.Window)
	}
	return n > 1, err
}

func (t try) spent() string {
	sum := sha256.Sum256([]byte(t.meta.Challenge))
	return "challenge:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func (t try) waited() string { return "waited:" + AddressPrefix(t.meta.Address) }
