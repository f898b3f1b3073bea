package identity_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

const number = "+15555550123"

// sender is a house that sends codes, with Tom's number and address in use for long.
func sender(t *testing.T, change ...func(*identity.Deps)) house {
	t.Helper()
	h := newHouse(t)
	h.deps.Policy.Sent = []identity.FactorKind{identity.FactorEmail, identity.FactorSMS}
	for _, c := range change {
		c(&h.deps)
	}
	h.Service = identity.New(h.deps)
	tom := h.finish(t, "tom").Secret
	if err := h.AddContact(t.Context(), tenant, tom, "tom@example.org", identity.Meta{}); err != nil {
		t.Fatal(err)
	}
	code := h.store.notices[len(h.store.notices)-1].Args["code"]
	if err := h.ConfirmContact(t.Context(), tenant, tom, code, identity.Meta{}); err != nil {
		t.Fatal(err)
	}
	if err := h.SendNumberCode(t.Context(), tenant, tom, number, true, identity.Meta{}); err != nil {
		t.Fatal(err)
	}
	if err := h.AddNumber(t.Context(), tenant, tom, h.sent(t), identity.Meta{}); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(identity.ContactCooling)
	if err := h.AddEmailCodes(t.Context(), tenant, h.finish(t, "tom").Secret, true, identity.Meta{}); err != nil {
		t.Fatal(err)
	}
	return h
}

// sent gives the code of the newest message.
func (h house) sent(t *testing.T) string {
	t.Helper()
	for i := len(h.store.notices) - 1; i >= 0; i-- {
		if n := h.store.notices[i]; n.Template == identity.NoticeSentCode {
			return h.SentCode(n.Args["ticket"])
		}
	}
	t.Fatal("no code was sent")
	return ""
}

// half sends a code for a log-in that is half done.
func (h house) half(t *testing.T, way identity.FactorKind) (secret, code string) {
	t.Helper()
	half := h.signIn(t, "tom").Secret
	if err := h.SendSignInCode(t.Context(), tenant, half, way, identity.Meta{Address: home}); err != nil {
		t.Fatal(err)
	}
	return half, h.sent(t)
}

func (h house) types(t *testing.T, secret, code string) (identity.SignInResult, error) {
	t.Helper()
	return h.FinishWithSentCode(t.Context(), tenant, secret, code, identity.Meta{Address: home})
}

// SM-11, SM-12: a code counts at 4:59 and not at 5:01, once, for its session and purpose,
// and only the newest one. Nothing that is stored or told has it.
func TestWhenASentCodeCounts(t *testing.T) {
	h := sender(t)
	for _, c := range []struct {
		after time.Duration
		good  bool
	}{{identity.SentLife - time.Second, true}, {identity.SentLife, false}, {identity.SentLife + time.Second, false}} {
		half, code := h.half(t, identity.FactorSMS)
		h.clock.advance(c.after)
		if _, err := h.types(t, half, code); (err == nil) != c.good {
			t.Errorf("after %s: %v", c.after, err)
		}
		h.clock.advance(time.Hour)
	}
	half, first := h.half(t, identity.FactorEmail)
	if err := h.SendSignInCode(t.Context(), tenant, half, identity.FactorEmail, identity.Meta{Address: home}); err != nil {
		t.Fatal(err)
	}
	second := h.sent(t)
	_, err := h.types(t, half, first)
	wantCode(t, err, errs.Unauthenticated, "code-refused")
	other := h.signIn(t, "tom").Secret
	_, err = h.types(t, other, second)
	wantCode(t, err, errs.Unauthenticated, "code-refused")
	if _, err = h.SecondFactor(t.Context(), tenant, half, second, identity.Meta{Address: home}); err == nil {
		t.Error("it counts as the code of an app")
	}
	h.clock.advance(time.Minute) // the pause after wrong ones
	done, err := h.types(t, half, second[:4]+" "+second[4:])
	if err != nil || done.Session.Level() != identity.AAL1 || strings.Join(done.Session.AMR, " ") != "pwd urn:mandate:amr:email" {
		t.Fatalf("%+v %v", done.Session, err)
	}
	_, err = h.types(t, half, second)
	wantCode(t, err, errs.Unauthenticated, "session-ended")
	for _, e := range h.store.events {
		for _, v := range e.Detail {
			if strings.Contains(v, second) || strings.Contains(v, number) {
				t.Errorf("an event tells: %v", e)
			}
		}
	}
	for _, v := range h.store.tickets {
		if v.Number == second || strings.Contains(v.Number, second) {
			t.Error("a code is stored as it is")
		}
	}
	for _, n := range h.store.notices {
		if n.Template != identity.NoticeSentCode {
			continue
		}
		for _, v := range n.Args {
			if v == second {
				t.Error("a code is stored in a message")
			}
		}
		if !n.Over(n.Created.Add(identity.SentLife)) || n.Over(n.Created.Add(identity.SentLife-2*time.Second)) {
			t.Errorf("a message lives on: %v", n.Args[outbox.ArgEnds])
		}
	}
}

// SM-09, NI-07, NI-01: a stronger proof takes the weak one out of what apps are told, and
// the weak one cannot be added to a log-in that is finished, nor change authenticators.
func TestASentCodeOpensLittle(t *testing.T) {
	h := sender(t)
	half, code := h.half(t, identity.FactorSMS)
	weak, err := h.types(t, half, code)
	if err != nil || strings.Join(weak.Session.AMR, " ") != "pwd otp sms" || weak.Session.Level() != identity.AAL1 {
		t.Fatalf("%+v %v", weak.Session, err)
	}
	wantCode(t, h.SendSignInCode(t.Context(), tenant, weak.Secret, identity.FactorSMS, identity.Meta{Address: home}), errs.Unauthenticated, "session-ended")
	wantCode(t, h.AddContact(t.Context(), tenant, weak.Secret, "thief@example.org", identity.Meta{}), errs.Unauthenticated, "step-up-needed")
	for _, a := range identity.Actions() {
		d := identity.Demanded(identity.DefaultDemands(), identity.Ask{Action: a, Role: identity.RolePatient})
		if d.Level.Reaches(identity.AAL2) && d.Met(weak.Session, h.clock.Now()) {
			t.Errorf("%s is open", a)
		}
	}
	h.clock.advance(time.Minute)
	strong, err := h.SecondFactor(t.Context(), tenant, weak.Secret, h.code(t), identity.Meta{Address: home})
	if err != nil || strings.Join(strong.Session.AMR, " ") != "pwd otp" || strong.Session.Level() != identity.AAL2 {
		t.Errorf("%+v %v", strong.Session, err)
	}
}

// SM-09: who cannot have such codes, and why.
func TestWhoHasNoSentCodes(t *testing.T) {
	h := sender(t)
	add := func(secret string) error {
		return h.SendNumberCode(t.Context(), tenant, secret, number, true, identity.Meta{})
	}
	wantCode(t, add(h.signIn(t, "rosa").Secret), errs.Conflict, "restricted-first")
	h.clock.advance(time.Minute)
	wantCode(t, add(h.finish(t, "elena").Secret), errs.Forbidden, "restricted-role")
	wantCode(t, add(h.finish(t, "osei").Secret), errs.Forbidden, "restricted-role")
	h.clock.advance(time.Minute)
	tom := h.finish(t, "tom").Secret
	wantCode(t, add(tom), errs.Conflict, "factors-many")
	for _, unfit := range []string{"", "5555550123", "+0155555501", "+1555", "+1555555012345678", "+1555x550123"} {
		wantCode(t, h.SendNumberCode(t.Context(), tenant, tom, unfit, true, identity.Meta{}), errs.Invalid, "number-unfit")
	}
	// What was open is closed to whoever comes to be at risk, and where it is switched off.
	if err := h.SetHighRisk(t.Context(), tenant, "tom", true); err != nil {
		t.Fatal(err)
	}
	half := h.signIn(t, "tom").Secret
	ask := func(s *identity.Service) error {
		return s.SendSignInCode(t.Context(), tenant, half, identity.FactorSMS, identity.Meta{Address: home})
	}
	wantCode(t, ask(h.Service), errs.Conflict, "code-unavailable")
	if err := h.SetHighRisk(t.Context(), tenant, "tom", false); err != nil {
		t.Fatal(err)
	}
	off := h.deps
	off.Policy.Sent = nil
	wantCode(t, ask(identity.New(off)), errs.Conflict, "code-unavailable")
	strict := h.deps
	strict.Policy.Demands = append(identity.DefaultDemands(), identity.DemandRule{Ask: identity.Ask{Role: identity.RolePatient}, Level: identity.AAL2})
	wantCode(t, ask(identity.New(strict)), errs.Conflict, "code-unavailable")
	// A mailbox that somebody uses who helps is no way in.
	shared := h.deps
	shared.Shared = func(_ context.Context, _ identity.Person, to string) (bool, error) {
		return to == "tom@example.org", nil
	}
	wantCode(t, identity.New(shared).SendSignInCode(t.Context(), tenant, half, identity.FactorEmail, identity.Meta{Address: home}), errs.Conflict, "code-unavailable")
	if err := ask(h.Service); err != nil {
		t.Error(err)
	}
}

// With the last better factor the codes go, and the log-in asks for none.
func TestSentCodesNeverStandAlone(t *testing.T) {
	h := sender(t)
	h.clock.advance(time.Minute)
	tom := h.finish(t, "tom").Secret
	all, err := h.ManagedFactors(t.Context(), tenant, tom)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.Kind == identity.FactorTOTP {
			err = h.RemoveFactor(t.Context(), tenant, tom, f.ID, identity.Meta{})
		}
	}
	left, _ := h.ManagedFactors(t.Context(), tenant, tom)
	if err != nil || len(left) != 1 || left[0].Kind != identity.FactorPassword {
		t.Errorf("%v %v", left, err)
	}
}

// How many are sent: five an hour to a person, from all strange devices together; what
// strangers use up a known device does not lack.
func TestHowManyCodesAreSent(t *testing.T) {
	h := sender(t)
	h.clock.advance(time.Minute)
	at, err := h.SignIn(t.Context(), tenant, "tom", goodPW, tablet)
	if err != nil {
		t.Fatal(err)
	}
	known, err := h.SecondFactor(t.Context(), tenant, at.Secret, h.code(t), tablet)
	if err != nil || known.Device == "" {
		t.Fatal(known, err)
	}
	h.clock.advance(time.Hour)
	before := len(h.store.notices)
	for i := range 7 {
		err := h.SendSignInCode(t.Context(), tenant, h.signIn(t, "tom").Secret, identity.FactorSMS, identity.Meta{Address: home})
		if i < 5 && err != nil {
			t.Fatal(i, err)
		}
		if i >= 5 {
			wantCode(t, err, errs.RateLimited, "too-many-tries")
		}
	}
	if n := len(h.store.notices) - before; n != 5 {
		t.Errorf("%d messages", n)
	}
	if e := lastEvent(t, h); e.Reason != "too-many-tries" {
		t.Errorf("%+v", e)
	}
	err = h.SendSignInCode(t.Context(), tenant, h.signIn(t, "tom").Secret, identity.FactorEmail, identity.Meta{Address: home, Device: known.Device})
	if err != nil {
		t.Errorf("strangers use up what the owner is sent: %v", err)
	}
}

// SM-10: of fifty right codes at once one wins, and five guesses end a code.
func TestSentCodesAtOnce(t *testing.T) {
	h := sender(t)
	burst := func(half, code string) int64 {
		var wins atomic.Int64
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := h.FinishWithSentCode(t.Context(), tenant, half, code, identity.Meta{Address: home}); err == nil {
					wins.Add(1)
				}
			})
		}
		all.Wait()
		return wins.Load()
	}
	half, code := h.half(t, identity.FactorEmail)
	if n := burst(half, code); n != 1 {
		t.Errorf("%d log-ins", n)
	}
	for _, c := range []struct {
		guesses int
		good    bool
	}{{4, true}, {5, false}} {
		half, code = h.half(t, identity.FactorEmail)
		for range c.guesses {
			_, err := h.types(t, half, "00000000")
			wantCode(t, err, errs.Unauthenticated, "code-refused")
			h.clock.advance(20 * time.Second) // longer than any pause
		}
		if _, err := h.types(t, half, code); (err == nil) != c.good || !c.good && errs.As(err).Code != "code-refused" {
			t.Errorf("after %d guesses: %v", c.guesses, err)
		}
		h.clock.advance(time.Hour)
	}
	// Guesses at once are counted each, and slow whoever makes them.
	half, _ = h.half(t, identity.FactorEmail)
	if n := burst(half, "00000000"); n != 0 {
		t.Errorf("%d guesses went in", n)
	}
	_, err := h.types(t, half, "00000000")
	wantCode(t, err, errs.RateLimited, "too-many-tries")
}
