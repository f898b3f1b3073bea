package identity

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// ChallengeLife is for how long a challenge to an authenticator may be answered.
const ChallengeLife = 5 * time.Minute

// The purposes of challenges: the answer to one proves nothing for another.
const (
	purposeSignIn = "passkey-sign-in"
	purposeStepUp = "passkey-step-up"
	purposeEnrol  = "passkey-enrol"
	purposeRegain = "passkey-recovery"
)

// A challenge is a fresh secret, its end and a keyed hash over both, the purpose
// and what it is bound to: browser and session. It is stored nowhere until it was
// answered; the answer names it (SM-12, SM-03).
func (s *Service) newChallenge(purpose, binding string, now time.Time) string {
	text := s.d.Hasher.Secret(s.d.IDs) + "." + strconv.FormatInt(now.Add(ChallengeLife).Unix(), 10)
	return text + "." + s.challengeSeal(purpose, binding, text)
}

func (s *Service) challengeSeal(purpose, binding, text string) string {
	return base64.RawURLEncoding.EncodeToString(s.d.Hasher.Sum("challenge:"+purpose, text+"."+binding))
}

// challengeEnd gives the end of a challenge made for this purpose and binding.
// Errors: errs.Unauthenticated with code challenge-foreign, or challenge-late.
func (s *Service) challengeEnd(purpose, binding, challenge string, now time.Time) (time.Time, error) {
	i := strings.LastIndexByte(challenge, '.')
	if i < 0 || binding == "" || !ids.Equal(challenge[i+1:], s.challengeSeal(purpose, binding, challenge[:i])) {
		return time.Time{}, errs.New(errs.Unauthenticated, "challenge-foreign", "The challenge was not made for this browser, session and purpose.")
	}
	if end := claimedEnd(challenge); now.Before(end) {
		return end, nil
	}
	return time.Time{}, errs.New(errs.Unauthenticated, "challenge-late", "The challenge was answered too late.")
}

// claimedEnd reads the end that a challenge names, the zero time without one.
func claimedEnd(challenge string) time.Time {
	text := challenge[:max(0, strings.LastIndexByte(challenge, '.'))]
	unix, err := strconv.ParseInt(text[strings.LastIndexByte(text, '.')+1:], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(unix, 0).UTC()
}

// spend makes sure that a challenge is answered once. Errors:
// errs.Unauthenticated with code challenge-replayed.
func (s *Service) spend(ctx context.Context, tx Tx, tenant, challenge string, end time.Time) error {
	first, err := tx.SpendChallenge(ctx, tenant, s.d.Hasher.Hash("challenge", challenge), end)
	if err == nil && !first {
		err = errs.New(errs.Unauthenticated, "challenge-replayed", "The challenge was answered before.")
	}
	return err
}
