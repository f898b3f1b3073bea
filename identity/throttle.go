package identity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Throttled is the cause of an errs.RateLimited error: how long to wait at
// most.
type Throttled struct {
	After time.Duration
}

// Error gives the waiting time.
func (t *Throttled) Error() string { return fmt.Sprintf("throttled for %s", t.After) }

// RetryAfter gives how long a caller has to wait, for the Retry-After header
// and the page; ok is false when err is no refusal for too many tries.
func RetryAfter(err error) (d time.Duration, ok bool) {
	var t *Throttled
	if errors.As(err, &t) {
		return t.After, true
	}
	if c := ChallengeOf(err); c != nil {
		return c.Wait, true
	}
	return 0, false
}

// try is one attempt to prove something, and the keys its failures are
// counted under.
type try struct {
	tenant string
	meta   Meta
	// account is a keyed hash, the same for known and unknown accounts, so
	// that counting tells nobody which exist.
	account string
	limits  []keyed
	// consecutive is the key of the failures since the last success, which no
	// time clears (NI-06): one for all strange devices and one for each known one;
	// empty for what has too many values to be guessed.
	consecutive string
	// onKnown says that the device is a known one; strangers is the key of the
	// failures on strange devices, failures their number where it was asked.
	onKnown bool
	// person is whose account it is, empty for nobody.
	person    string
	strangers string
	failures  int
	// leaked says that the password is on the list of breached ones, travels until when
	// the person travels.
	leaked  bool
	travels time.Time
}

type keyed struct {
	key string
	Limit
	// sticky counters are not cleared by a success: one good log-in must not
	// reset the count of an address that tries other accounts.
	sticky bool
	// work asks for work where it is reached, and never refuses: strangers must not
	// lock anybody out.
	work bool
}

func (s *Service) passwordTry(tenant, username string, known bool, m Meta) try {
	return s.newTry(tenant, "password", s.d.Hasher.Hash("username", FoldUsername(cut(username))), known, m)
}

func (s *Service) codeTry(tenant, personID string, known bool, m Meta) try {
	return s.newTry(tenant, "otp", s.d.Hasher.Hash("person", personID), known, m)
}

// newTry counts on a known device for that device alone: what strangers do is no
// concern of it (SM-17).
func (s *Service) newTry(tenant, factor, account string, known bool, m Meta) try {
	p, prefix := s.d.Policy, AddressPrefix(m.Address)
	t := try{tenant: tenant, meta: m, account: account, consecutive: factor + ":" + account,
		onKnown: known, strangers: factor + ":account:" + account}
	if known {
		device := s.device(m.Device)
		t.consecutive += ":" + device
		t.limits = []keyed{{key: factor + ":device:" + account + ":" + device, Limit: p.PerDevice}}
		return t
	}
	t.limits = []keyed{
		{key: factor + ":pair:" + account + ":" + prefix, Limit: p.PerPair},
		{key: t.strangers, Limit: p.PerAccount},
		{key: factor + ":address:" + prefix, Limit: p.PerAddress, sticky: true},
	}
	if factor == "password" {
		t.limits = append(t.limits, keyed{key: factor + ":everywhere", Limit: p.WorkEverywhere, sticky: true, work: true},
			keyed{key: t.strangers, Limit: p.WorkAccount, work: true},
			keyed{key: factor + ":address:" + prefix, Limit: p.WorkAddress, sticky: true, work: true})
	}
	return t
}

// knows reports whether a person finished a log-in on the device before. It asks
// for nobody too: the same round trips for everybody.
func (s *Service) knows(ctx context.Context, st Devices, tenant, personID string, m Meta) (bool, error) {
	_, err := st.DeviceOf(ctx, tenant, personID, s.device(m.Device))
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return err == nil && m.Device != "" && personID != "", err
}

// cut bounds a name before it is hashed.
func cut(username string) string {
	if len(username) > maxUsername {
		return username[:maxUsername]
	}
	return username
}

// refused gives why a try is not looked at, nil when it is: its account's
// authenticator was tried too often, a limit is reached, the pause after its last
// failure is not over, or work is due.
func (s *Service) refused(ctx context.Context, st Ports, t try, now time.Time) (refusal, err error) {
	if stopped, err := s.stopped(ctx, st, t); stopped || err != nil {
		return s.stoppedError(stopped), err
	}
	work := t.meta.Trapped
	for i, l := range t.limits {
		n, err := st.Failures(ctx, t.tenant, l.key, now, l.Window)
		switch {
		case err != nil:
			return nil, err
		case n >= l.Tries && l.work:
			work = true
		case n >= l.Tries:
			return s.tooMany(t.limits[0].Window), nil
		case i == 0:
			if left, err := s.pause(ctx, st, t, n, now); left > 0 || err != nil {
				return s.tooMany(left), err
			}
		}
	}
	if !work {
		return nil, nil
	}
	if ok, err := s.workDone(ctx, st, t, now); ok || err != nil {
		return nil, err
	}
	return s.challenged(t, now), nil
}

// pause gives what is left of the pause after the last of n failures (SM-17): none
// after the first, then 1, 2, 4 … seconds.
func (s *Service) pause(ctx context.Context, st Brakes, t try, n int, now time.Time) (time.Duration, error) {
	free, longest := s.d.Policy.FreeTries, s.d.Policy.LongestPause
	if n <= free || longest <= 0 {
		return 0, nil
	}
	last, err := st.LastFailure(ctx, t.tenant, t.limits[0].key, now, t.limits[0].Window)
	if err != nil {
		return 0, err
	}
	pause := longest
	if n-free-1 < 16 {
		pause = min(longest, time.Second<<(n-free-1))
	}
	return pause - now.Sub(last), nil
}

// stopped reports whether an authenticator had its last consecutive failure.
func (s *Service) stopped(ctx context.Context, st Brakes, t try) (bool, error) {
	if t.consecutive == "" {
		return false, nil
	}
	n, err := st.Consecutive(ctx, t.tenant, t.consecutive)
	return err == nil && n >= s.d.Policy.Consecutive, err
}

// exhausted reports whether one of the limits is reached.
func (s *Service) exhausted(ctx context.Context, st Ports, t try, now time.Time) (bool, error) {
	if stopped, err := s.stopped(ctx, st, t); stopped || err != nil {
		return stopped, err
	}
	for _, l := range t.limits {
		if l.work {
			continue
		}
		n, err := st.Failures(ctx, t.tenant, l.key, now, l.Window)
		if err != nil || n >= l.Tries {
			return n >= l.Tries, err
		}
	}
	return false, nil
}

// admit counts a try before its outcome counts, and reports whether there were
// too many: of tries sent at once each sees those before it, which looking at
// the counters does not promise. A good one is forgotten again, so it leaves
// the sticky counters alone.
func (s *Service) admit(ctx context.Context, tx Tx, t try, good bool, now time.Time) (busy bool, err error) {
	counted := map[string]bool{}
	for _, l := range t.limits {
		if good && l.sticky || counted[l.key] {
			continue
		}
		counted[l.key] = true
		n, err := tx.CountFailure(ctx, t.tenant, l.key, now, l.Window)
		if err != nil {
			return false, err
		}
		busy = busy || n > l.Tries && !l.work
	}
	if t.consecutive == "" {
		return busy, nil
	}
	n, err := tx.CountConsecutive(ctx, t.tenant, t.consecutive, now)
	if err != nil {
		return false, err
	}
	if n == s.d.Policy.Consecutive && !good && t.person != "" {
		// The last one that was looked at: the person is told once.
		err = s.noteSignIn(ctx, tx, t.tenant, t.person, signInStopped, now)
	}
	return busy || n > s.d.Policy.Consecutive, err
}

// counted looks again inside the transaction and counts, and gives why a try does
// not count as it came out, nil when it does.
func (s *Service) counted(ctx context.Context, tx Tx, t try, good bool, now time.Time) (refusal, err error) {
	before, err := s.exhausted(ctx, tx, t, now)
	if err != nil {
		return nil, err
	}
	// Those that were looked at count all the same: fifty guesses at once are fifty.
	busy, err := s.admit(ctx, tx, t, good, now)
	if err != nil {
		return nil, err
	}
	used, err := s.spendWork(ctx, tx, t, now)
	if before || busy || used {
		refusal = s.tooMany(t.limits[0].Window)
	}
	return refusal, err
}

func (s *Service) forget(ctx context.Context, tx Tx, t try) error {
	for _, l := range t.limits {
		if l.sticky {
			continue
		}
		if err := tx.ClearFailures(ctx, t.tenant, l.key); err != nil {
			return err
		}
	}
	if t.consecutive == "" {
		return nil
	}
	return tx.ClearConsecutive(ctx, t.tenant, t.consecutive)
}

// tooMany tells the window of the first limit whichever limit was reached, so
// that the answer does not say how a stranger has been busy.
func (s *Service) tooMany(after time.Duration) error {
	return errs.Wrap(&Throttled{After: after}, errs.RateLimited, tooManyTries,
		"There were too many tries. Wait a while, then try again.")
}

func (s *Service) stoppedError(stopped bool) error {
	if !stopped {
		return nil
	}
	return errs.New(errs.RateLimited, signInStopped, "There were too many failed tries in a row. Signing in this way has to be opened again.")
}
