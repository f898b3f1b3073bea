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
	if !errors.As(err, &t) {
		return 0, false
	}
	return t.After, true
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
}

type keyed struct {
	key string
	Limit
	// sticky counters are not cleared by a success: one good log-in must not
	// reset the count of an address that tries other accounts.
	sticky bool
}

func (s *Service) passwordTry(tenant, username string, m Meta) try {
	return s.newTry(tenant, "password", s.d.Hasher.Hash("username", FoldUsername(cut(username))), m)
}

func (s *Service) codeTry(tenant, personID string, m Meta) try {
	return s.newTry(tenant, "otp", s.d.Hasher.Hash("person", personID), m)
}

func (s *Service) newTry(tenant, factor, account string, m Meta) try {
	p, prefix := s.d.Policy, AddressPrefix(m.Address)
	return try{tenant: tenant, meta: m, account: account, limits: []keyed{
		{key: factor + ":pair:" + account + ":" + prefix, Limit: p.PerPair},
		{key: factor + ":account:" + account, Limit: p.PerAccount},
		{key: factor + ":address:" + prefix, Limit: p.PerAddress, sticky: true},
	}}
}

// cut bounds a name before it is hashed.
func cut(username string) string {
	if len(username) > maxUsername {
		return username[:maxUsername]
	}
	return username
}

// exhausted reports whether one of the limits is reached.
func (s *Service) exhausted(ctx context.Context, st Store, t try, now time.Time) (bool, error) {
	for _, l := range t.limits {
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
	for _, l := range t.limits {
		if good && l.sticky {
			continue
		}
		n, err := tx.CountFailure(ctx, t.tenant, l.key, now, l.Window)
		if err != nil {
			return false, err
		}
		busy = busy || n > l.Tries
	}
	return busy, nil
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
	return nil
}

// tooMany tells the window of the pair limit whichever limit was reached, so
// that the answer does not say how a stranger has been busy.
func (s *Service) tooMany(t try) error {
	return errs.Wrap(&Throttled{After: t.limits[0].Window}, errs.RateLimited, tooManyTries,
		"There were too many tries. Wait a while, then try again.")
}
