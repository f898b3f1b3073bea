package identity_test

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/testauthn"
)

const window = "this browser"

func ownKey() *testauthn.Device {
	return &testauthn.Device{Origin: "https://id.example", Host: "id.example"}
}

// enrolled gives a person's device with a passkey, made in a session.
func (h house) enrolled(t *testing.T, secret string, d *testauthn.Device) identity.Factor {
	t.Helper()
	options, err := h.BeginPasskey(t.Context(), tenant, secret, window)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Create(options)
	if err != nil {
		t.Fatal(err)
	}
	f, err := h.AddPasskey(t.Context(), tenant, secret, window, " My   tablet ", answer, identity.Meta{Address: home})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// asked gives the answer of a device to a log-in page in a browser.
func (h house) asked(t *testing.T, d *testauthn.Device, browser string) []byte {
	t.Helper()
	options, err := h.PasskeyRequest(browser)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Get(options)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (h house) byPasskey(t *testing.T, answer []byte) (identity.SignInResult, error) {
	t.Helper()
	return h.SignInWithPasskey(t.Context(), tenant, window, answer, identity.Meta{Address: home})
}

// SM-03, NI-01: a passkey is two factors at once, and the session says so.
func TestAPasskeyIsEnough(t *testing.T) {
	h, d := newHouse(t), ownKey()
	d.Synced = true
	f := h.enrolled(t, h.finish(t, "elena").Secret, d)
	if f.Name != "My tablet" || f.Kind != identity.FactorPasskey {
		t.Errorf("%+v", f)
	}
	if n := h.store.notices; len(n) != 1 || n[0].PersonID != "p-elena" || n[0].Template != identity.NoticeFactor {
		t.Errorf("Elena was told %+v", n)
	}
	h.clock.advance(time.Hour)
	r, err := h.byPasskey(t, h.asked(t, d, window))
	if err != nil || r.NeedsSecondFactor || r.Person.ID != "p-elena" || r.Session.Level() != identity.AAL2 || !slices.Equal(r.Session.AMR, []string{"swk", "mfa"}) {
		t.Fatalf("%+v, %v", r, err)
	}
	if s, _, err := h.Session(t.Context(), tenant, r.Secret, identity.Meta{}); err != nil || !s.AuthTime.Equal(h.clock.Now()) {
		t.Errorf("%+v %v", s, err)
	}
	all, err := h.ManagedFactors(t.Context(), tenant, r.Secret)
	if err != nil || len(all) != 3 || !all[2].Used.Equal(h.clock.Now()) {
		t.Errorf("%+v %v", all, err)
	}
}

// SM-03, SM-12: replayed, late, from another browser, made for another purpose,
// of somebody unknown: all refused alike.
func TestOneAnswerOneLogIn(t *testing.T) {
	h, d := newHouse(t), ownKey()
	secret := h.signIn(t, "rosa").Secret
	h.enrolled(t, secret, d)
	good := h.asked(t, d, window)
	if _, err := h.byPasskey(t, good); err != nil {
		t.Fatal(err)
	}
	_, err := h.byPasskey(t, good)
	wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	if !strings.HasSuffix(h.told(), "login.failed challenge-replayed") {
		t.Error(h.told())
	}
	late := h.asked(t, d, window)
	h.clock.advance(identity.ChallengeLife)
	choices, err := h.StepUp(t.Context(), tenant, secret, window, identity.AAL2)
	if err != nil || choices.Code {
		t.Fatalf("%+v %v", choices, err)
	}
	stepUp, err := d.Get(choices.Passkey)
	if err != nil {
		t.Fatal(err)
	}
	stranger := ownKey()
	options, err := h.BeginPasskey(t.Context(), tenant, h.finish(t, "tom").Secret, window)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Create(options); err != nil {
		t.Fatal(err)
	}
	h.store.events = nil
	for reason, answer := range map[string][]byte{
		"challenge-late": late, "challenge-foreign": h.asked(t, d, "another browser"),
		"passkey-unknown": h.asked(t, stranger, window),
	} {
		_, err := h.byPasskey(t, answer)
		wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
		if !strings.Contains(h.told(), "login.failed "+reason) {
			t.Errorf("%s: %s", reason, h.told())
		}
	}
	_, err = h.byPasskey(t, stepUp)
	wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	_, err = h.byPasskey(t, []byte("{}"))
	wantCode(t, err, errs.Invalid, "passkey-answer")
	if _, err := h.byPasskey(t, h.asked(t, d, window)); err != nil {
		t.Errorf("the right one no longer works: %v", err)
	}
}

// SM-03: of the same answer sent fifty times at once exactly one counts.
func TestAnAnswerCountsOnceAlsoAtOnce(t *testing.T) {
	h, d := newHouse(t), ownKey()
	d.Still = true
	h.enrolled(t, h.signIn(t, "rosa").Secret, d)
	answer := h.asked(t, d, window)
	var wins atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := h.SignInWithPasskey(t.Context(), tenant, window, answer, identity.Meta{Address: home}); err == nil {
				wins.Add(1)
			}
		})
	}
	all.Wait()
	if wins.Load() != 1 {
		t.Errorf("%d log-ins", wins.Load())
	}
}

// SM-03: a counter that goes back shows a copy. Neither works any more, and the
// owner is told.
func TestAClonedPasskeyIsLocked(t *testing.T) {
	h, d := newHouse(t), ownKey()
	h.enrolled(t, h.signIn(t, "rosa").Secret, d)
	copied := d.Clone()
	if _, err := h.byPasskey(t, h.asked(t, d, window)); err != nil {
		t.Fatal(err)
	}
	h.store.notices, h.store.events = nil, nil
	_, err := h.byPasskey(t, h.asked(t, copied, window))
	wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	_, err = h.byPasskey(t, h.asked(t, d, window))
	wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	if told := h.told(); told != "factor.changed passkey-cloned, login.failed passkey-cloned, login.failed passkey-locked" || len(h.store.notices) != 1 {
		t.Errorf("%s; %+v", told, h.store.notices)
	}
	// The password alone does not take its place.
	if r := h.signIn(t, "rosa"); !r.NeedsSecondFactor {
		t.Error("a locked passkey made the password enough")
	}
}

// SM-02: what guards the account guards its authenticators too.
func TestAuthenticatorsNeedAFreshLogIn(t *testing.T) {
	h := newHouse(t)
	stale := func(secret string) {
		t.Helper()
		_, err := h.BeginPasskey(t.Context(), tenant, secret, window)
		wantCode(t, err, errs.Unauthenticated, "step-up-needed")
	}
	rosa := h.signIn(t, "rosa").Secret
	f := h.enrolled(t, rosa, ownKey())
	stale(rosa) // the password alone is no longer the best she has
	wantCode(t, h.RemoveFactor(t.Context(), tenant, rosa, f.ID, identity.Meta{}), errs.Unauthenticated, "step-up-needed")
	stale(h.signIn(t, "elena").Secret)
	elena := h.finish(t, "elena").Secret
	h.clock.advance(identity.ManageWithin + time.Second)
	stale(elena)
	_, err := h.BeginPasskey(t.Context(), tenant, "nothing", window)
	wantCode(t, err, errs.Unauthenticated, "session-ended")
}

// SM-03: an enrolment belongs to the session that began it, and one device has
// one passkey.
func TestEnrolmentIsBoundToItsSession(t *testing.T) {
	h, d := newHouse(t), ownKey()
	elena := h.finish(t, "elena").Secret
	options, err := h.BeginPasskey(t.Context(), tenant, elena, window)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Create(options)
	if err != nil {
		t.Fatal(err)
	}
	add := func(browser, name string) error {
		_, err := h.AddPasskey(t.Context(), tenant, elena, browser, name, answer, identity.Meta{})
		return err
	}
	wantCode(t, add("another browser", ""), errs.Unauthenticated, "passkey-refused")
	wantCode(t, add(window, strings.Repeat("x", 61)), errs.Invalid, "factor-name")
	if err := add(window, ""); err != nil {
		t.Fatal(err)
	}
	wantCode(t, add(window, ""), errs.Unauthenticated, "passkey-refused")
}

// SM-02, AS-04: who needs a second factor keeps the last one.
func TestTheLastSecondFactorStays(t *testing.T) {
	h := newHouse(t)
	elena := h.finish(t, "elena").Secret
	all, err := h.ManagedFactors(t.Context(), tenant, elena)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	remove := func(id string) error {
		return h.RemoveFactor(t.Context(), tenant, elena, id, identity.Meta{})
	}
	wantCode(t, remove(all[1].ID), errs.Conflict, "factor-last")
	wantCode(t, remove(all[0].ID), errs.NotFound, "factor-not-found") // the password
	d := ownKey()
	key := h.enrolled(t, elena, d)
	if err := h.RenameFactor(t.Context(), tenant, elena, key.ID, "Living room", identity.Meta{}); err != nil {
		t.Error(err)
	}
	if err := remove(all[1].ID); err != nil {
		t.Error(err)
	}
	wantCode(t, remove(key.ID), errs.Conflict, "factor-last")
	if r := h.signIn(t, "elena"); !r.NeedsSecondFactor {
		t.Error("half a log-in is whole")
	} else {
		choices, err := h.StepUp(t.Context(), tenant, r.Secret, window, identity.AAL2)
		if err != nil || choices.Code || choices.Passkey == nil {
			t.Fatalf("%+v %v", choices, err)
		}
		answer, err := d.Get(choices.Passkey)
		if err != nil {
			t.Fatal(err)
		}
		full, err := h.StepUpWithPasskey(t.Context(), tenant, r.Secret, window, answer, identity.Meta{})
		if err != nil || !slices.Equal(full.Session.AMR, []string{"pwd", "pop", "mfa"}) {
			t.Errorf("%+v %v", full, err)
		}
	}
}

// A passkey proves its owner, not whoever is half logged in.
func TestAPasskeyOfAnotherStepsNobodyUp(t *testing.T) {
	h, d := newHouse(t), ownKey()
	h.enrolled(t, h.signIn(t, "rosa").Secret, d)
	half := h.signIn(t, "elena").Secret
	h.enrolled(t, h.finish(t, "tom").Secret, ownKey())
	choices, err := h.StepUp(t.Context(), tenant, h.signIn(t, "rosa").Secret, window, identity.AAL2)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := d.Get(choices.Passkey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.StepUpWithPasskey(t.Context(), tenant, half, window, answer, identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "passkey-refused")
}
