package identity_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// attackers hammer rosa's account from n networks, as patiently as it takes.
func (h house) attackers(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		_ = h.patiently(t, "rosa", "guess", identity.Meta{Address: fmt.Sprintf("10.1.%d.1", i), Browser: "robot"})
	}
}

// SM-17: a stuffing run from many networks shuts strange devices out, and the
// tablet that Rosa always uses still gets in, at once.
func TestAKnownDeviceIsNotLockedOutByStrangers(t *testing.T) {
	h := newHouse(t)
	known := tablet
	known.Device = h.on(t, tablet).Device
	h.attackers(t, 120)
	if err := h.patiently(t, "rosa", goodPW, phone); !errs.Is(err, errs.RateLimited) {
		t.Errorf("a strange device: %v", err)
	}
	if _, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, known); err != nil {
		t.Errorf("strangers locked Rosa's tablet out: %v", err)
	}
	// The device of somebody else is a strange one, and so is a made-up one.
	for _, m := range []identity.Meta{{Address: home, Device: "made up"}, {Address: home, Device: ""}} {
		if err := h.patiently(t, "rosa", goodPW, m); !errs.Is(err, errs.RateLimited) {
			t.Errorf("%+v gets in: %v", m, err)
		}
	}
	// What Rosa does on her tablet opens nothing to strangers.
	if err := h.patiently(t, "rosa", goodPW, phone); !errs.Is(err, errs.RateLimited) {
		t.Errorf("a strange device: %v", err)
	}
}

// NI-06: a hundred failures in a row stop an authenticator, however long they take;
// a success before that begins anew.
func TestAHundredFailuresInARow(t *testing.T) {
	h := newHouse(t)
	day := func(name, pw string) error {
		h.clock.advance(24 * time.Hour)
		h.store.failures = map[string][]time.Time{}
		_, err := h.SignIn(t.Context(), tenant, name, pw, identity.Meta{Address: home})
		return err
	}
	for range 99 {
		wantCode(t, day("rosa", "x"), errs.Unauthenticated, "sign-in-failed")
	}
	if err := day("rosa", goodPW); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rosa", "nobody"} {
		for range 100 {
			wantCode(t, day(name, "x"), errs.Unauthenticated, "sign-in-failed")
		}
		wantCode(t, day(name, goodPW), errs.RateLimited, "sign-in-stopped")
		if e := lastEvent(t, h); e.Reason != "sign-in-stopped" {
			t.Errorf("recorded as %+v", e)
		}
	}
}

// SM-17: 0, 1, 2, 4 … seconds after each failure, by account and device.
func TestPausesGrow(t *testing.T) {
	h := newHouse(t)
	here := identity.Meta{Address: home}
	for i, want := range []time.Duration{0, 1, 2, 4, 8, 16, 16} {
		_, err := h.SignIn(t.Context(), tenant, "rosa", "x", here)
		if want > 0 {
			if after, _ := identity.RetryAfter(err); after != want*time.Second {
				t.Errorf("try %d: pause of %s, want %d s", i, after, want)
			}
			h.clock.advance(want * time.Second)
			_, err = h.SignIn(t.Context(), tenant, "rosa", "x", here)
		} else if i == 0 {
			_, err = h.SignIn(t.Context(), tenant, "rosa", "x", here)
		}
		wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	}
	if _, err := h.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{Address: "198.51.100.1"}); err != nil {
		t.Errorf("the pause is everybody's: %v", err)
	}
}

// notWork gives a text that is not the work of a challenge.
func notWork(token string) string {
	for n := 0; ; n++ {
		text := fmt.Sprint("?", n)
		if sum := sha256.Sum256([]byte(token + ":" + text)); sum[0] >= 0x10 {
			return text
		}
	}
}

// SM-16, SM-18: work in place of a puzzle, each worth one try at one account, or a
// wait for browsers that do none.
func TestWorkInPlaceOfAPuzzle(t *testing.T) {
	h := newHouse(t)
	trapped := identity.Meta{Address: home, Trapped: true}
	try := func(name, pw string, m identity.Meta) error {
		_, err := h.SignIn(t.Context(), tenant, name, pw, m)
		return err
	}
	c := identity.ChallengeOf(try("rosa", goodPW, trapped))
	if c == nil {
		t.Fatal("a program that fills in everything is not challenged")
	}
	with := func(token, work string) identity.Meta {
		m := trapped
		m.Challenge, m.Work = token, work
		return m
	}
	work := identity.Work(c.Token, c.Bits)
	for what, err := range map[string]error{
		"no work":         try("rosa", goodPW, with(c.Token, "")),
		"wrong work":      try("rosa", goodPW, with(c.Token, notWork(c.Token))),
		"made up":         try("rosa", goodPW, with("x"+c.Token, identity.Work("x"+c.Token, c.Bits))),
		"another account": try("tom", goodPW, with(c.Token, work)),
	} {
		if identity.ChallengeOf(err) == nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if again := identity.ChallengeOf(try("rosa", goodPW, with(c.Token, ""))); again == nil || again.Token != c.Token {
		t.Error("whoever comes too early begins anew")
	}
	wantCode(t, try("rosa", "x", with(c.Token, work)), errs.Unauthenticated, "sign-in-failed")
	if identity.ChallengeOf(try("rosa", goodPW, with(c.Token, work))) == nil {
		t.Error("a challenge serves twice")
	}
	late := identity.ChallengeOf(try("rosa", goodPW, trapped))
	h.clock.advance(31 * time.Minute)
	if identity.ChallengeOf(try("rosa", goodPW, with(late.Token, identity.Work(late.Token, late.Bits)))) == nil {
		t.Error("a challenge serves for ever")
	}
	waits := 0
	for range 40 {
		c := identity.ChallengeOf(try("rosa", goodPW, trapped))
		h.clock.advance(c.Wait)
		if try("rosa", goodPW, with(c.Token, "")) == nil {
			waits++
		}
	}
	if waits < 30 || waits == 40 {
		t.Errorf("waiting served %d times of 40", waits)
	}
}

// A step-up leaves what was granted before it: only the end of the session ends
// that.
func TestAStepUpKeepsWhatWasGranted(t *testing.T) {
	h := newHouse(t)
	first, err := h.SignInVouched(t.Context(), tenant, identity.Voucher{Username: "rosa"}, tablet)
	if err != nil {
		t.Fatal(err)
	}
	h.store.factors = append(h.store.factors, identity.Factor{Tenant: tenant, ID: "f", PersonID: "p-rosa", Kind: identity.FactorTOTP, Secret: []byte(totpKey)})
	up, err := h.SecondFactor(t.Context(), tenant, first.Secret, h.code(t), tablet)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = h.Session(t.Context(), tenant, first.Secret, tablet)
	wantCode(t, err, errs.Unauthenticated, "session-ended")
	if !h.store.sessions[first.Session.Hash].Ended.IsZero() || len(h.store.ended) != 0 {
		t.Error("what was granted before the step-up is over")
	}
	if err := h.SignOut(t.Context(), tenant, up.Secret, tablet); err != nil {
		t.Fatal(err)
	}
	if h.store.sessions[first.Session.Hash].Ended.IsZero() || h.store.sessions[up.Session.Hash].Ended.IsZero() || len(h.store.ended) != 2 {
		t.Errorf("%v", h.store.ended)
	}
}

// NI-06, AS-09: an operator opens what strangers stopped, and ends all log-ins.
func TestOperatorsReopenAndSignOut(t *testing.T) {
	h := newHouse(t)
	r := h.on(t, tablet)
	h.attackers(t, 110)
	if err := h.patiently(t, "rosa", goodPW, phone); !errs.Is(err, errs.RateLimited) {
		t.Fatal(err)
	}
	wantCode(t, h.Reopen(t.Context(), tenant, "nobody"), errs.NotFound, "account-not-found")
	if err := h.Reopen(t.Context(), tenant, "Rosa"); err != nil {
		t.Fatal(err)
	}
	if e := lastEvent(t, h); e.Reason != "sign-in-reopened" || e.Detail["account"] != "p-rosa" {
		t.Errorf("recorded as %+v", e)
	}
	if err := h.patiently(t, "rosa", goodPW, phone); err != nil {
		t.Errorf("still stopped: %v", err)
	}
	if n, err := h.SignOutEverywhere(t.Context(), tenant, "rosa"); n != 2 || err != nil || len(h.store.devices) != 0 {
		t.Errorf("%d %v", n, err)
	}
	_, _, err := h.Session(t.Context(), tenant, r.Secret, tablet)
	wantCode(t, err, errs.Unauthenticated, "session-ended")
}
