package identity_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// A password alone proves nothing for a proxy, for staff, and for a patient
// who has enrolled a second factor.
func TestAHalfLogInOpensNothing(t *testing.T) {
	h := newHouse(t)
	for _, name := range []string{"elena", "osei", "bare", "tom"} {
		r := h.signIn(t, name)
		if !r.NeedsSecondFactor || r.Session.Level() != "" {
			t.Errorf("%s: %+v", name, r)
		}
		_, _, err := h.Session(t.Context(), tenant, r.Secret, identity.Meta{})
		wantCode(t, err, errs.Unauthenticated, "second-factor-needed")
		if identity.Sufficient(identity.DefaultDemands(), r.Person, self("x"), r.Session, r.Session.AuthTime) {
			t.Errorf("%s may act", name)
		}
		if _, p, err := h.Pending(t.Context(), tenant, r.Secret); err != nil || p.Username != name {
			t.Errorf("%s: the code page does not know them: %v", name, err)
		}
		h.clock.advance(10 * time.Minute)
		_, _, err = h.Pending(t.Context(), tenant, r.Secret)
		wantCode(t, err, errs.Unauthenticated, "session-ended")
	}
}

// SE-14, NI-01: step-up gives a new secret and says truly what was proven.
func TestTheSecondFactorFinishesTheLogIn(t *testing.T) {
	h := newHouse(t)
	half := h.signIn(t, "elena")
	h.clock.advance(time.Minute)
	full, err := h.SecondFactor(t.Context(), tenant, half.Secret, h.code(t), identity.Meta{Address: home})
	if err != nil {
		t.Fatal(err)
	}
	s, p, err := h.Session(t.Context(), tenant, full.Secret, identity.Meta{})
	if err != nil || p.ID != "p-elena" || s.Level() != identity.AAL2 || len(s.AMR) != 2 || s.AMR[0] != "pwd" || s.AMR[1] != "otp" {
		t.Fatalf("%+v, %v", s, err)
	}
	if !s.AuthTime.Equal(h.clock.Now()) || !s.Ends.Equal(half.Session.Ends) {
		t.Errorf("times: %+v", s)
	}
	for _, f := range []func() error{
		func() error { _, _, err := h.Session(t.Context(), tenant, half.Secret, identity.Meta{}); return err },
		func() error { _, _, err := h.Pending(t.Context(), tenant, half.Secret); return err },
		func() error {
			_, err := h.SecondFactor(t.Context(), tenant, half.Secret, h.code(t), identity.Meta{})
			return err
		},
	} {
		wantCode(t, f(), errs.Unauthenticated, "session-ended")
	}
	if got := h.told(); got != "login.succeeded second-factor-needed, stepup.succeeded" {
		t.Errorf("recorded: %s", got)
	}
	if e := lastEvent(t, h); e.SessionID != s.Hash || e.Detail["amr"] != "pwd otp" || e.Detail["previous_session"] != half.Session.Hash {
		t.Errorf("recorded: %+v", e)
	}
}

func TestRefusedCodes(t *testing.T) {
	h := newHouse(t)
	code := h.code(t)
	h.finish(t, "elena")
	again := h.signIn(t, "elena")
	_, err := h.SecondFactor(t.Context(), tenant, again.Secret, code, identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "code-refused")
	if e := lastEvent(t, h); e.Kind != audit.StepUpFailed || e.Reason != "code-replayed" || e.PersonID != "p-elena" {
		t.Errorf("recorded: %+v", e)
	}
	_, err = h.SecondFactor(t.Context(), tenant, again.Secret, "000000", identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "code-refused")
	h.clock.advance(time.Minute)
	if _, err := h.SecondFactor(t.Context(), tenant, again.Secret, h.code(t), identity.Meta{}); err != nil {
		t.Errorf("the next code is refused: %v", err)
	}

	_, err = h.SecondFactor(t.Context(), tenant, h.signIn(t, "bare").Secret, "000000", identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "second-factor-missing")
	_, err = h.SecondFactor(t.Context(), tenant, "no such session", "000000", identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "session-ended")
}

// Fifty codes at once: wrong ones count as fifty, a right one works once.
func TestCodesInParallel(t *testing.T) {
	h := newHouse(t)
	secret, code := h.signIn(t, "osei").Secret, h.code(t)
	var wg sync.WaitGroup
	var won atomic.Int64
	for range 50 {
		wg.Go(func() {
			if _, err := h.SecondFactor(t.Context(), tenant, secret, code, identity.Meta{Address: home}); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("one code opened %d sessions", won.Load())
	}

	h = newHouse(t)
	secret = h.signIn(t, "osei").Secret
	for range 10 {
		h.clock.advance(easy().LongestPause)
		_, err := h.SecondFactor(t.Context(), tenant, secret, "000000", identity.Meta{Address: home})
		wantCode(t, err, errs.Unauthenticated, "code-refused")
	}
	_, err := h.SecondFactor(t.Context(), tenant, secret, h.code(t), identity.Meta{Address: home})
	wantCode(t, err, errs.RateLimited, "too-many-tries")
}

// SE-15: idle and absolute ends by role, moved by use, written sparingly.
func TestSessionsEndByThemselves(t *testing.T) {
	for _, c := range []struct {
		name           string
		idle, absolute time.Duration
	}{
		{"rosa", 30 * time.Minute, 12 * time.Hour},
		{"elena", 15 * time.Minute, 8 * time.Hour},
		{"osei", 15 * time.Minute, 12 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			start := func() string {
				h.clock.advance(time.Minute)
				if c.name == "rosa" {
					return h.signIn(t, c.name).Secret
				}
				return h.finish(t, c.name).Secret
			}
			secret := start()
			h.clock.advance(c.idle)
			_, _, err := h.Session(t.Context(), tenant, secret, identity.Meta{})
			wantCode(t, err, errs.Unauthenticated, "session-ended")

			secret = start()
			begun := h.clock.Now()
			for h.clock.Now().Sub(begun) < c.absolute-10*time.Minute {
				h.clock.advance(10 * time.Minute)
				if h.clock.Now().Sub(begun) >= c.absolute {
					break
				}
				s, _, err := h.Session(t.Context(), tenant, secret, identity.Meta{})
				if err != nil || s.IdleEnds.After(s.Ends) {
					t.Fatalf("after %s: %v, %+v", h.clock.Now().Sub(begun), err, s)
				}
			}
			h.clock.advance(10 * time.Minute)
			_, _, err = h.Session(t.Context(), tenant, secret, identity.Meta{})
			wantCode(t, err, errs.Unauthenticated, "session-ended")
		})
	}
}

func TestUseIsWrittenAtMostOnceAMinute(t *testing.T) {
	h := newHouse(t)
	r := h.signIn(t, "rosa")
	h.clock.advance(59 * time.Second)
	if s, _, err := h.Session(t.Context(), tenant, r.Secret, identity.Meta{}); err != nil || !s.LastSeen.Equal(r.Session.LastSeen) {
		t.Errorf("written too often: %v %v", s.LastSeen, err)
	}
	h.clock.advance(time.Second)
	if s, _, err := h.Session(t.Context(), tenant, r.Secret, identity.Meta{}); err != nil || !s.LastSeen.Equal(h.clock.Now()) {
		t.Errorf("not written: %v %v", s.LastSeen, err)
	}
}

func TestSignOutIsFinal(t *testing.T) {
	h := newHouse(t)
	r := h.signIn(t, "rosa")
	for range 2 {
		if err := h.SignOut(t.Context(), tenant, r.Secret, identity.Meta{Address: home}); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := h.Session(t.Context(), tenant, r.Secret, identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "session-ended")
	if got := h.told(); got != "login.succeeded, logout" {
		t.Errorf("recorded: %s", got)
	}
}

func TestAClosedAccountLosesItsSessions(t *testing.T) {
	h := newHouse(t)
	r := h.signIn(t, "rosa")
	p := r.Person
	p.Disabled = true
	h.store.people[p.ID] = p
	_, _, err := h.Session(t.Context(), tenant, r.Secret, identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "session-ended")
}

func TestTheLanguageStaysWithTheSession(t *testing.T) {
	h := newHouse(t)
	r := h.signIn(t, "rosa")
	if err := h.SetLanguage(t.Context(), tenant, r.Secret, "es"); err != nil {
		t.Fatal(err)
	}
	if s, _, err := h.Session(t.Context(), tenant, r.Secret, identity.Meta{}); err != nil || s.Language != "es" {
		t.Errorf("%q, %v", s.Language, err)
	}
	if err := h.SetLanguage(t.Context(), tenant, "no such session", "es"); err != nil {
		t.Error(err)
	}
}

func TestWhatIsSufficient(t *testing.T) {
	proxy := fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Patient: "rosa"}
	clinician := fhir.Capacity{Kind: fhir.CapacityPractitioner}
	for _, c := range []struct {
		name     string
		role     identity.Role
		amr      []string
		capacity fhir.Capacity
		other    bool
		want     bool
	}{
		{"own record, password", identity.RolePatient, []string{"pwd"}, self("rosa"), false, true},
		{"own record, two factors", identity.RolePatient, []string{"pwd", "otp"}, self("rosa"), false, true},
		{"own record, nothing", identity.RolePatient, nil, self("rosa"), false, false},
		{"a patient who is also a proxy, password", identity.RolePatient, []string{"pwd"}, proxy, false, false},
		{"a patient who is also a proxy, two factors", identity.RolePatient, []string{"pwd", "otp"}, proxy, false, true},
		{"proxy account, own record, password", identity.RoleProxy, []string{"pwd"}, self("elena"), false, false},
		{"clinician, password", identity.RoleClinician, []string{"pwd"}, clinician, false, false},
		{"clinician, two factors", identity.RoleClinician, []string{"pwd", "otp"}, clinician, false, true},
		{"no capacity, password", identity.RolePatient, []string{"pwd"}, fhir.Capacity{}, false, false},
		{"somebody else's session", identity.RolePatient, []string{"pwd", "otp"}, self("rosa"), true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := identity.Person{Tenant: tenant, ID: "a", Role: c.role}
			s := identity.Session{Tenant: tenant, PersonID: "a", AMR: c.amr}
			if c.other {
				s.PersonID = "b"
			}
			if got := identity.Sufficient(identity.DefaultDemands(), p, c.capacity, s, s.AuthTime); got != c.want {
				t.Errorf("got %v", got)
			}
			p.Disabled = true
			if identity.Sufficient(identity.DefaultDemands(), p, c.capacity, s, s.AuthTime) {
				t.Error("a closed account may act")
			}
		})
	}
}

// NI-06: tries are counted under the form by which the account is found, or
// each way to write a name would have tries of its own.
func TestNamesThatLookAlikeAreOne(t *testing.T) {
	for _, same := range [][2]string{
		{"Rosa", "rosa"}, {" Rosa ", "rosa"}, {"STRASSE", "stra\u00dfe"}, {"\uff52\uff4f\uff53\uff41", "ROSA"}, {"e\u0301", "\u00c9"},
	} {
		if identity.FoldUsername(same[0]) != identity.FoldUsername(same[1]) {
			t.Errorf("%q and %q are told apart", same[0], same[1])
		}
	}
	if identity.FoldUsername("rosa") == identity.FoldUsername("ros\u00e0") {
		t.Error("an accent was lost")
	}
}

func TestAddressPrefixes(t *testing.T) {
	for in, want := range map[string]string{
		"203.0.113.77": "203.0.113.0/24", "::ffff:203.0.113.77": "203.0.113.0/24",
		"2001:db8:1:2ff::1": "2001:db8:1:200::/56", "fe80::1%eth0": "fe80::/56",
		"": "unknown", "rosa": "unknown",
	} {
		if got := identity.AddressPrefix(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
