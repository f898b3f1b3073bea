package identity_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

func wantCode(t *testing.T, err error, kind errs.Kind, code string) {
	t.Helper()
	if e := errs.As(err); e == nil || e.Kind != kind || e.Code != code {
		t.Errorf("want %s/%s, got %v", kind, code, err)
	}
}

func TestRosaSignsInWithHerPassword(t *testing.T) {
	h := newHouse(t)
	r := h.signIn(t, "  ROSA ")
	if r.NeedsSecondFactor || r.Person.ID != "p-rosa" || r.Session.Level() != identity.AAL1 {
		t.Errorf("got %+v", r)
	}
	s, p, err := h.Session(t.Context(), tenant, r.Secret, identity.Meta{})
	if err != nil || p.ID != "p-rosa" || s.Hash != r.Session.Hash {
		t.Fatalf("her cookie is not known: %v", err)
	}
	if strings.Contains(fmt.Sprintf("%+v", h.store.sessions), r.Secret) {
		t.Error("the cookie value itself is stored")
	}
	e := lastEvent(t, h)
	if e.Kind != audit.LoginSucceeded || e.PersonID != "p-rosa" || e.SessionID != s.Hash || e.Network != home || e.RequestID != "req-1" {
		t.Errorf("AU-06: %+v", e)
	}
	if _, _, err := h.Session(t.Context(), "other", r.Secret, identity.Meta{}); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("a cookie of one tenant opens another: %v", err)
	}
}

// Same answer, same work: an intruder cannot tell which accounts exist.
func TestFailuresAreAlike(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct{ name, user, pw, reason string }{
		{"wrong password", "rosa", "not her password", "password-wrong"},
		{"unknown account", "nobody", goodPW, "account-unknown"},
		{"empty name", "", goodPW, "account-unknown"},
		{"endless name", strings.Repeat("x", 5000), goodPW, "account-unknown"},
		{"closed account", "gone", goodPW, "account-disabled"},
		{"endless password", "rosa", strings.Repeat("x", 5000), "password-wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := h.hasher.decoys.Load() + h.hasher.real.Load()
			r, err := h.SignIn(t.Context(), tenant, c.user, c.pw, identity.Meta{Address: home})
			wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
			if err != nil && err.Error() != "unauthenticated/sign-in-failed: The username or the password is not right." {
				t.Errorf("the answer differs: %v", err)
			}
			if r.Secret != "" || h.hasher.decoys.Load()+h.hasher.real.Load() != before+1 {
				t.Error("not exactly one hash was computed")
			}
			e := lastEvent(t, h)
			if e.Kind != audit.LoginFailed || e.Reason != c.reason || e.Outcome != audit.MinorFailure {
				t.Errorf("recorded as %+v", e)
			}
		})
	}
	if len(h.store.sessions) != 0 {
		t.Error("a failed log-in left a session")
	}
}

// AU-06: people type passwords into the name field.
func TestAnUnknownNameIsOnlyRecordedAsAHash(t *testing.T) {
	h := newHouse(t)
	_, _ = h.SignIn(t.Context(), tenant, "Hunter2-typed-here", "x", identity.Meta{})
	e := lastEvent(t, h)
	if strings.Contains(strings.ToLower(fmt.Sprintf("%+v", e)), "hunter2") || len(e.Detail["username_hash"]) != 64 {
		t.Errorf("recorded as %+v", e)
	}
}

func TestTooManyTriesFromOnePlace(t *testing.T) {
	h := newHouse(t)
	intruder, owner := identity.Meta{Address: "198.51.100.9"}, identity.Meta{Address: home}
	for i := range 10 {
		err := h.patiently(t, "rosa", fmt.Sprint("guess ", i), intruder)
		wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	}
	hashed := h.hasher.real.Load()
	_, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{Address: "198.51.100.200"})
	wantCode(t, err, errs.RateLimited, "too-many-tries")
	if after, ok := identity.RetryAfter(err); !ok || after != 15*time.Minute {
		t.Errorf("Retry-After: %v, %v", after, ok)
	}
	if h.hasher.real.Load() != hashed {
		t.Error("a refused try cost a hash")
	}
	if e := lastEvent(t, h); e.Reason != "too-many-tries" || e.Outcome != audit.SeriousFailure {
		t.Errorf("recorded as %+v", e)
	}
	if err := h.patiently(t, "rosa", goodPW, owner); err != nil {
		t.Errorf("strangers locked Rosa out: %v", err)
	}
	h.clock.advance(15*time.Minute + time.Second)
	if err := h.patiently(t, "rosa", goodPW, intruder); err != nil {
		t.Errorf("the pause does not end: %v", err)
	}
}

// Counting must not tell which accounts exist.
func TestUnknownAccountsAreThrottledAlike(t *testing.T) {
	h := newHouse(t)
	for range 10 {
		_ = h.patiently(t, "nobody", "x", identity.Meta{Address: home})
	}
	_, err := h.SignIn(t.Context(), tenant, "Nobody ", "x", identity.Meta{Address: home})
	wantCode(t, err, errs.RateLimited, "too-many-tries")
}

// NI-06: at most 100 failures per account, wherever they come from.
func TestAnAccountIsGuardedAgainstManyAddresses(t *testing.T) {
	h := newHouse(t)
	for i := range 100 {
		err := h.patiently(t, "rosa", "x", identity.Meta{Address: fmt.Sprintf("10.0.%d.1", i)})
		wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	}
	h.store.inARow = map[string]int{}
	_, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{Address: home})
	wantCode(t, err, errs.RateLimited, "too-many-tries")
}

func TestAnAddressIsGuardedOverManyAccounts(t *testing.T) {
	h := newHouse(t)
	for i := range 300 {
		_ = h.patiently(t, fmt.Sprint("user", i), "x", identity.Meta{Address: home})
	}
	h.store.failures = keep(h.store.failures, ":address:")
	_, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{Address: home})
	wantCode(t, err, errs.RateLimited, "too-many-tries")
}

func keep(m map[string][]time.Time, part string) map[string][]time.Time {
	out := map[string][]time.Time{}
	for k, v := range m {
		if strings.Contains(k, part) {
			out[k] = v
		}
	}
	return out
}

// Guesses sent at once count like guesses sent one by one.
func TestFiftyGuessesAtOnce(t *testing.T) {
	h := newHouse(t)
	var wg sync.WaitGroup
	var refused, failed atomic.Int64
	for i := range 50 {
		wg.Go(func() {
			_, err := h.SignIn(t.Context(), tenant, "rosa", fmt.Sprint("guess ", i), identity.Meta{Address: home})
			switch errs.KindOf(err) {
			case errs.RateLimited:
				refused.Add(1)
			case errs.Unauthenticated:
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if failed.Load() > 10 || failed.Load()+refused.Load() != 50 {
		t.Errorf("%d answered, %d refused; want at most 10, and 50 together", failed.Load(), refused.Load())
	}
}

// blind looks at the counters as a transaction that runs beside others does:
// it sees none of their failures until it counts its own.
type blind struct{ identity.Tx }

func (blind) Failures(context.Context, string, string, time.Time, time.Duration) (int, error) {
	return 0, nil
}

type beside struct{ m *memory }

func (b beside) InTx(ctx context.Context, fn func(identity.Tx) error) error {
	return b.m.InTx(ctx, func(tx identity.Tx) error { return fn(blind{tx}) })
}

// Counting decides, not looking: on a database that runs transactions side by
// side no guess gets through because the ones before were not visible yet, and
// a right one behind too many wrong ones neither.
func TestGuessesBesideOneAnother(t *testing.T) {
	h := newHouse(t)
	svc := identity.New(identity.Deps{
		Tx: beside{h.store}, Store: blind{memTx{&h.store.state}}, Passwords: h.hasher, Codes: totp.Codes{},
		Clock: h.clock, Hasher: ids.Hasher{Key: []byte("test key")}, Policy: easy(),
	})
	guess := func(password string) error {
		_, err := svc.SignIn(t.Context(), tenant, "rosa", password, identity.Meta{Address: home})
		return err
	}
	for range 10 {
		wantCode(t, guess("wrong"), errs.Unauthenticated, "sign-in-failed")
	}
	wantCode(t, guess("wrong"), errs.RateLimited, "too-many-tries")
	wantCode(t, guess(goodPW), errs.RateLimited, "too-many-tries")

	secret := h.signIn(t, "osei").Secret
	code := func(code string) error {
		_, err := svc.SecondFactor(t.Context(), tenant, secret, code, identity.Meta{Address: home})
		return err
	}
	for range 10 {
		wantCode(t, code("000000"), errs.Unauthenticated, "code-refused")
	}
	wantCode(t, code("000000"), errs.RateLimited, "too-many-tries")
	wantCode(t, code(h.code(t)), errs.RateLimited, "too-many-tries")
}

// crowded is a reader that still sees failures which are gone by the time the
// transaction looks.
type crowded struct{ identity.Ports }

func (crowded) Failures(context.Context, string, string, time.Time, time.Duration) (int, error) {
	return 1000, nil
}

// A try that was refused before its password was looked at stays refused,
// whatever happened in between.
func TestAnUncheckedPasswordNeverPasses(t *testing.T) {
	h := newHouse(t)
	svc := identity.New(identity.Deps{
		Tx: h.store, Store: crowded{h.store.reader()}, Passwords: h.hasher, Codes: totp.Codes{}, Clock: h.clock,
	})
	r, err := svc.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{Address: home})
	wantCode(t, err, errs.RateLimited, "too-many-tries")
	if r.Secret != "" || len(h.store.sessions) != 0 {
		t.Errorf("a session came of it: %+v", r)
	}
}

func TestAStoreThatIsDownIsNoWrongPassword(t *testing.T) {
	h := newHouse(t)
	h.store.down = true
	_, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{})
	wantCode(t, err, errs.Unavailable, "store-down")
}

// SE-13: the id known before the log-in is dead after it.
func TestANewLogInEndsTheOldSession(t *testing.T) {
	h := newHouse(t)
	old := h.signIn(t, "rosa")
	next, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{Previous: old.Secret})
	if err != nil || next.Secret == old.Secret {
		t.Fatal("no new session", err)
	}
	_, _, err = h.Session(t.Context(), tenant, old.Secret, identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "session-ended")
}

func TestAccountsAreMadeOnce(t *testing.T) {
	h := newHouse(t)
	_, err := h.CreateAccount(t.Context(), identity.NewAccount{Person: identity.Person{Tenant: tenant, Username: "Rosa"}, Password: goodPW})
	wantCode(t, err, errs.Conflict, "account-exists")
	_, err = h.CreateAccount(t.Context(), identity.NewAccount{Person: identity.Person{Tenant: tenant, ID: "p-rosa", Username: "rosa2"}, Password: goodPW})
	wantCode(t, err, errs.Conflict, "account-exists")
	_, err = h.CreateAccount(t.Context(), identity.NewAccount{Person: identity.Person{Tenant: tenant, Username: " "}, Password: goodPW})
	wantCode(t, err, errs.Invalid, "username-unfit")
	_, err = h.CreateAccount(t.Context(), identity.NewAccount{Person: identity.Person{Tenant: tenant, Username: "x"}, Password: "short"})
	wantCode(t, err, errs.Invalid, "password-too-short")
	_, err = h.CreateAccount(t.Context(), identity.NewAccount{Person: identity.Person{Tenant: tenant, Username: "x"}, Password: goodPW, TOTPSecret: "no!"})
	wantCode(t, err, errs.Invalid, "totp-secret-unfit")
	p, err := h.CreateAccount(t.Context(), identity.NewAccount{Person: identity.Person{Tenant: tenant, Username: "mia", Role: identity.RolePatient,
		Identities: []identity.Identity{{Resource: fhir.Reference{Type: "Patient", ID: "mia"}, Patient: "mia", Verified: true}}}, Password: goodPW})
	if err != nil || len(p.ID) != 32 || p.Created.IsZero() {
		t.Fatalf("%+v, %v", p, err)
	}
	if e := lastEvent(t, h); e.Kind != audit.PersonSaved || e.Detail["account"] != p.ID {
		t.Errorf("recorded as %+v", e)
	}
	h.signIn(t, "mia")
}
