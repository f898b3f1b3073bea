package identity_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/internal/errs"
)

const newPW = "seven boats upon a lake"

// faraway is a browser that nobody knows.
func faraway() identity.Meta { return identity.Meta{Address: "198.51.100.9"} }

// sentCode asks for a code and gives it with its ticket; the code is empty when
// nothing was sent.
func (h house) sentCode(t *testing.T, name string) (ticket, code string) {
	t.Helper()
	ticket, err := h.AskContactCode(t.Context(), tenant, name, window, faraway())
	if err != nil {
		t.Fatal(err)
	}
	body, ok := strings.CutPrefix(h.store.ended[len(h.store.ended)-1], identity.QueueContactCode+" ")
	if !ok {
		t.Fatalf("no job: %v", h.store.ended)
	}
	before := len(h.store.notices)
	own := func(context.Context, identity.Person) ([]string, error) { return []string{"own@example.org"}, nil }
	if err := h.SendContactCode(t.Context(), tenant, body, own); err != nil {
		t.Fatal(err)
	}
	if len(h.store.notices) == before {
		return ticket, ""
	}
	return ticket, h.store.notices[before].Args["code"]
}

func (h house) prove(t *testing.T, try identity.RecoveryTry) (identity.Recovery, string, error) {
	t.Helper()
	try.Binding = window
	return h.ProveRecovery(t.Context(), tenant, try, faraway())
}

// byMail begins a recovery with a code sent by mail.
func (h house) byMail(t *testing.T, name string) (identity.Recovery, string) {
	t.Helper()
	ticket, code := h.sentCode(t, name)
	r, secret, err := h.prove(t, identity.RecoveryTry{Username: name, Kind: identity.ProofContact, Ticket: ticket, Value: code})
	if err != nil || secret == "" {
		t.Fatal(err, secret)
	}
	return r, secret
}

// SM-20, NI-09: Tom lost his phone and forgot nothing else. One proof is too little;
// two wait a day on a strange device; then he gets in with a new password, and
// what he did not show lets nobody in.
func TestTwoProofsGetSomebodyBackIn(t *testing.T) {
	h := newHouse(t)
	r, secret := h.byMail(t, "tom")
	if r.State != identity.RecoveryProving || r.Finishable(h.clock.Now()) {
		t.Fatalf("%+v", r)
	}
	g := identity.Regained{Secret: secret, Binding: window, Password: newPW}
	wantCode(t, h.FinishRecovery(t.Context(), tenant, g, faraway()), errs.Conflict, "recovery-early")
	r, again, err := h.prove(t, identity.RecoveryTry{Username: "tom", Secret: secret, Kind: identity.ProofPassword, Value: goodPW})
	if err != nil || again != "" || r.State != identity.RecoveryWaiting || r.Needs != 0 {
		t.Fatalf("%+v %q %v", r, again, err)
	}
	wantCode(t, h.FinishRecovery(t.Context(), tenant, g, faraway()), errs.Conflict, "recovery-early")
	h.clock.advance(identity.RecoveryWait)
	old := h.finish(t, "tom").Secret
	wantCode(t, h.FinishRecovery(t.Context(), tenant, identity.Regained{Secret: secret, Password: "short"}, faraway()), errs.Invalid, "password-too-short")
	if err := h.FinishRecovery(t.Context(), tenant, g, faraway()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, h.FinishRecovery(t.Context(), tenant, g, faraway()), errs.NotFound, "recovery-over")
	if _, _, err := h.Session(t.Context(), tenant, old, identity.Meta{}); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("the log-in before still lives: %v", err)
	}
	got, err := h.SignIn(t.Context(), tenant, "tom", newPW, faraway())
	if err != nil || got.NeedsSecondFactor {
		t.Errorf("%+v %v", got, err)
	}
	_, err = h.SignIn(t.Context(), tenant, "tom", goodPW, faraway())
	wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	for _, want := range []string{"recovery.step proof-contact", "recovery.step proof-password", "recovery.step done", "factor.removed account-recovered", "logout account-recovered"} {
		if !strings.Contains(h.told(), want) {
			t.Errorf("%q is not in %s", want, h.told())
		}
	}
	var told []string
	for _, n := range h.store.notices {
		if n.Template == identity.NoticeRecovery {
			told = append(told, n.Args["what"])
		}
	}
	if strings.Join(told, " ") != "begun waiting done" {
		t.Errorf("told: %v", told)
	}
}

// SM-20: nobody learns who has an account, and one kind of proof twice is one.
func TestRecoveryTellsStrangersNothing(t *testing.T) {
	h := newHouse(t)
	for _, name := range []string{"nobody", "gone"} {
		ticket, code := h.sentCode(t, name)
		if code != "" {
			t.Errorf("a code for %s", name)
		}
		_, _, err := h.prove(t, identity.RecoveryTry{Username: name, Kind: identity.ProofContact, Ticket: ticket, Value: "00000000"})
		wantCode(t, err, errs.Unauthenticated, "recovery-refused")
	}
	for _, kind := range []identity.ProofKind{identity.ProofPassword, identity.ProofApp, identity.ProofRecovery, identity.ProofStaff, "mother's maiden name"} {
		h.clock.advance(time.Hour)
		_, _, err := h.prove(t, identity.RecoveryTry{Username: "rosa", Kind: kind, Value: goodPW})
		wantCode(t, err, errs.Unauthenticated, "recovery-refused")
	}
	_, secret := h.byMail(t, "rosa")
	ticket, code := h.sentCode(t, "rosa")
	r, _, err := h.prove(t, identity.RecoveryTry{Username: "rosa", Secret: secret, Kind: identity.ProofContact, Ticket: ticket, Value: code})
	if err != nil || r.State != identity.RecoveryProving {
		t.Errorf("two codes to one address: %+v %v", r, err)
	}
	// What belongs to one account proves nothing for another.
	_, _, err = h.prove(t, identity.RecoveryTry{Username: "tom", Secret: secret, Kind: identity.ProofPassword, Value: goodPW})
	wantCode(t, err, errs.Unauthenticated, "recovery-refused")
}

// SM-11, SM-12: a code that was sent works for five minutes, once, in its browser,
// for its account; fifty guesses at once are fifty, and one right code wins once.
func TestSentCodesAreBoundAndCounted(t *testing.T) {
	h := newHouse(t)
	ticket, code := h.sentCode(t, "rosa")
	try := identity.RecoveryTry{Username: "rosa", Kind: identity.ProofContact, Ticket: ticket, Value: code}
	for name, spoil := range map[string]func(*identity.RecoveryTry){
		"another account": func(x *identity.RecoveryTry) { x.Username = "tom" },
		"another browser": func(x *identity.RecoveryTry) { x.Binding = "other" },
		"another code":    func(x *identity.RecoveryTry) { x.Value = "0" + x.Value },
	} {
		bad := try
		bad.Binding = window
		spoil(&bad)
		if _, _, err := h.ProveRecovery(t.Context(), tenant, bad, identity.Meta{Address: "192.0.2." + string('1'+rune(len(name)%9))}); !errs.Is(err, errs.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.clock.advance(identity.ChallengeLife + time.Second)
	_, _, err := h.prove(t, try)
	wantCode(t, err, errs.Unauthenticated, "recovery-refused")

	ticket, code = h.sentCode(t, "rosa")
	try.Ticket, try.Binding = ticket, window
	guess := func(value string, n int) (won int) {
		var (
			group sync.WaitGroup
			mu    sync.Mutex
		)
		for range n {
			group.Go(func() {
				own := try
				own.Value = value
				_, _, err := h.ProveRecovery(context.Background(), tenant, own, identity.Meta{Address: home})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				}
			})
		}
		group.Wait()
		return won
	}
	if won := guess(code, 50); won != 1 {
		t.Errorf("%d of 50 won", won)
	}
	h.clock.advance(time.Hour)
	try.Ticket, code = h.sentCode(t, "rosa")
	if won := guess("none", 50); won != 0 {
		t.Errorf("%d wrong guesses won", won)
	}
	if won := guess(code, 1); won != 0 {
		t.Error("the right code still works after fifty guesses")
	}
	h.clock.advance(time.Hour)
	for range 3 {
		h.sentCode(t, "rosa")
	}
	_, err = h.AskContactCode(t.Context(), tenant, "rosa", window, faraway())
	wantCode(t, err, errs.RateLimited, "too-many-tries")
}

// SM-20: the link that goes to all contacts stops a recovery and does nothing else,
// and says nothing to who guesses one.
func TestTheLinkStopsARecovery(t *testing.T) {
	h := newHouse(t)
	r, secret := h.byMail(t, "rosa")
	for _, token := range []string{"", "x", r.ID, r.ID + ".x"} {
		if err := h.StopRecovery(t.Context(), tenant, token, faraway()); err != nil {
			t.Errorf("%q: %v", token, err)
		}
	}
	if _, _, err := h.Recovery(t.Context(), tenant, secret); err != nil {
		t.Fatalf("a guessed link stopped it: %v", err)
	}
	for range 2 {
		if err := h.StopRecovery(t.Context(), tenant, h.store.notices[len(h.store.notices)-1].Args["stop"], faraway()); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := h.Recovery(t.Context(), tenant, secret)
	wantCode(t, err, errs.NotFound, "recovery-over")
	if !strings.HasSuffix(h.told(), "recovery.step stopped") {
		t.Error(h.told())
	}
}

// SM-22: the account of a proxy opens after a day and with the word of two of the
// staff, none of whom is the person or has checked them; and it gets its second
// factor at once.
func TestTwoPeopleReviewASensitiveRecovery(t *testing.T) {
	h := newHouse(t)
	person := func(id string) identity.Person { return h.store.people[id] }
	for _, id := range []string{"p-nurse", "p-second"} {
		h.store.people[id] = identity.Person{Tenant: tenant, ID: id, Role: identity.RoleClinician}
	}
	r, secret := h.byMail(t, "elena")
	say := func(by string, approve bool) error {
		fresh, _, err := h.RecoveryCase(t.Context(), tenant, r.ID)
		if err != nil {
			return err
		}
		return h.ReviewRecovery(t.Context(), tenant, r.ID, identity.RecoveryWord{By: person(by), Version: fresh.Version, Approve: approve, Reason: "seen"}, faraway())
	}
	check := identity.RecoveryWord{By: person("p-nurse"), Version: 1, How: "in-person"}
	wantCode(t, h.CheckRecovery(t.Context(), tenant, r.ID, check, faraway()), errs.Invalid, "recovery-check")
	check.Documents = []string{"passport"}
	if err := h.CheckRecovery(t.Context(), tenant, r.ID, check, faraway()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, h.CheckRecovery(t.Context(), tenant, r.ID, check, faraway()), errs.PreconditionFailed, "version-changed")
	wantCode(t, say("p-nurse", true), errs.Conflict, "recovery-reviewer")
	wantCode(t, say("p-elena", true), errs.Forbidden, "recovery-own")
	wantCode(t, say("p-rosa", true), errs.Forbidden, "recovery-own")
	for _, by := range []string{"p-osei", "p-second"} {
		if err := say(by, true); err != nil {
			t.Fatal(by, err)
		}
		wantCode(t, say(by, true), errs.Conflict, "recovery-reviewer")
	}
	g := identity.Regained{Secret: secret, Binding: window, Password: "ten letters", Code: h.code(t)}
	wantCode(t, h.FinishRecovery(t.Context(), tenant, g, faraway()), errs.Conflict, "recovery-early")
	h.clock.advance(identity.RecoveryWait)
	wantCode(t, h.FinishRecovery(t.Context(), tenant, g, faraway()), errs.Unauthenticated, "challenge-foreign")
	app, err := h.RegainedApp(person("p-elena"), window)
	if err != nil {
		t.Fatal(err)
	}
	g.App, g.Code = app, codeOf(t, app.Secret, h.clock.Now())
	if err := h.FinishRecovery(t.Context(), tenant, g, faraway()); err != nil {
		t.Fatal(err)
	}
	got, err := h.SignIn(t.Context(), tenant, "elena", "ten letters", faraway())
	if err != nil || !got.NeedsSecondFactor {
		t.Fatalf("%+v %v", got, err)
	}
	h.clock.advance(time.Minute)
	if _, err := h.SecondFactor(t.Context(), tenant, got.Secret, codeOf(t, app.Secret, h.clock.Now()), faraway()); err != nil {
		t.Error(err)
	}
}

// SM-17, SM-20: strangers who use up all tries at an account leave its recovery open.
func TestStrangersDoNotCloseRecovery(t *testing.T) {
	h := newHouse(t)
	codes, err := h.NewRecoveryCodes(t.Context(), tenant, h.signIn(t, "rosa").Secret, identity.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 130 {
		m := identity.Meta{Address: "10." + string('0'+rune(i%10)) + "." + string('0'+rune(i/10%10)) + ".1"}
		_, _ = h.SignIn(t.Context(), tenant, "rosa", "guess", m)
		_, _, _ = h.ProveRecovery(t.Context(), tenant, identity.RecoveryTry{Username: "rosa", Kind: identity.ProofRecovery, Value: "wrong", Binding: window}, m)
	}
	_, secret := h.byMail(t, "rosa")
	r, _, err := h.prove(t, identity.RecoveryTry{Username: "rosa", Secret: secret, Kind: identity.ProofRecovery, Value: codes[0]})
	if err != nil || r.State != identity.RecoveryWaiting {
		t.Fatalf("%+v %v", r, err)
	}
	h.clock.advance(identity.RecoveryWait)
	if err := h.FinishRecovery(t.Context(), tenant, identity.Regained{Secret: secret, Password: newPW}, faraway()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.SignIn(t.Context(), tenant, "rosa", newPW, faraway()); err != nil {
		t.Errorf("the way stays closed to her: %v", err)
	}
}

// SM-20, SM-22: who waits, and who is reviewed.
func TestRecoveryPlans(t *testing.T) {
	mail := []identity.RecoveryProof{{Kind: identity.ProofContact}, {Kind: identity.ProofRecovery}}
	keys := []identity.RecoveryProof{{Kind: identity.ProofPasskey, Factor: "a"}, {Kind: identity.ProofPasskey, Factor: "b"}}
	seen := []identity.RecoveryProof{{Kind: identity.ProofContact}, {Kind: identity.ProofStaff, By: "p-osei"}}
	for _, c := range []struct {
		name    string
		p       identity.Person
		r       identity.Recovery
		waits   bool
		reviews int
	}{
		{"a known browser", identity.Person{Role: identity.RolePatient}, identity.Recovery{Proofs: mail}, false, 0},
		{"a strange browser, by mail", identity.Person{Role: identity.RolePatient}, identity.Recovery{Proofs: mail, Strange: true}, true, 0},
		{"a strange browser, two keys", identity.Person{Role: identity.RolePatient}, identity.Recovery{Proofs: keys, Strange: true}, false, 0},
		{"seen by staff", identity.Person{Role: identity.RolePatient}, identity.Recovery{Proofs: seen, Strange: true}, false, 0},
		{"at risk", identity.Person{Role: identity.RolePatient, HighRisk: true}, identity.Recovery{Proofs: keys}, true, 2},
		{"a helper's browser", identity.Person{Role: identity.RolePatient}, identity.Recovery{Proofs: keys, Helped: true}, true, 2},
		{"a proxy", identity.Person{Role: identity.RoleProxy}, identity.Recovery{Proofs: keys}, true, 2},
		{"staff", identity.Person{Role: identity.RoleClinician}, identity.Recovery{Proofs: keys}, false, 2},
	} {
		if wait, reviews := identity.RecoveryPlan(c.p, c.r); wait > 0 != c.waits || reviews != c.reviews {
			t.Errorf("%s: %s, %d", c.name, wait, reviews)
		}
	}
	if !identity.Independent(keys) || identity.Independent(keys[:1]) || identity.Independent([]identity.RecoveryProof{mail[0], mail[0]}) {
		t.Error("independence")
	}
}

func codeOf(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.Code(secret, at.Unix()/30)
	if err != nil {
		t.Fatal(err)
	}
	return code
}
