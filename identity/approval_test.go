package identity_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// hers is Elena's tablet, strange a computer that nobody knows.
func hers() identity.Meta {
	return identity.Meta{Address: home, Browser: "tablet", Agent: "Safari/iPad"}
}

func strange() identity.Meta {
	return identity.Meta{Address: "198.51.100.9", Browser: "office", Agent: "Firefox/Windows"}
}

// onTablet signs Elena in on her tablet with two factors.
func (h house) onTablet(t *testing.T) identity.SignInResult {
	t.Helper()
	r, err := h.SignIn(t.Context(), tenant, "elena", goodPW, hers())
	if err == nil {
		r, err = h.SecondFactor(t.Context(), tenant, r.Secret, h.code(t), hers())
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// asks begins a log-in in the office and asks the tablet.
func (h house) asks(t *testing.T) (string, identity.Approval) {
	t.Helper()
	r, err := h.SignIn(t.Context(), tenant, "elena", goodPW, strange())
	if err != nil {
		t.Fatal(err)
	}
	a, err := h.AskApproval(t.Context(), tenant, r.Secret, strange())
	if err != nil || len(a.Number) != 6 {
		t.Fatal(a, err)
	}
	return r.Secret, a
}

func (h house) waiting(t *testing.T, mine identity.Session) []identity.Asking {
	t.Helper()
	all, err := h.Approvals(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// SM-13, NI-07: the number of one device, typed on another one, finishes a log-in, once,
// for the session that asked; the other device is told from where somebody asks.
func TestANumberOnAnotherDeviceLetsElenaIn(t *testing.T) {
	h := newHouse(t)
	at := h.onTablet(t)
	secret, a := h.asks(t)
	_, err := h.TakeApproval(t.Context(), tenant, secret, a.Ticket, strange())
	wantCode(t, err, errs.Conflict, "approval-waiting")
	all := h.waiting(t, at.Session)
	if len(all) != 1 || all[0].Agent != "Firefox/Windows" || all[0].Network != "198.51.100.0/24" {
		t.Fatalf("%+v", all)
	}
	wantCode(t, h.AnswerApproval(t.Context(), tenant, at.Secret, all[0].ID, "000000", hers()), errs.Unauthenticated, "code-refused")
	if err := h.AnswerApproval(t.Context(), tenant, at.Secret, all[0].ID, a.Number, hers()); err != nil {
		t.Fatal(err)
	}
	wantCode(t, h.AnswerApproval(t.Context(), tenant, at.Secret, all[0].ID, a.Number, hers()), errs.NotFound, "approval-over")
	// Another session has no use for it.
	other, err := h.SignIn(t.Context(), tenant, "elena", goodPW, identity.Meta{Address: "192.0.2.7", Browser: "thief"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.TakeApproval(t.Context(), tenant, other.Secret, a.Ticket, identity.Meta{Browser: "thief"})
	wantCode(t, err, errs.Unauthenticated, "approval-late")
	r, err := h.TakeApproval(t.Context(), tenant, secret, a.Ticket, strange())
	if err != nil || r.Session.Level() != identity.AAL2 || !slices.Equal(r.Session.AMR, []string{"pwd", "mca"}) {
		t.Fatalf("%+v %v", r, err)
	}
	_, err = h.TakeApproval(t.Context(), tenant, r.Secret, a.Ticket, strange())
	wantCode(t, err, errs.Unauthenticated, "approval-late")
	var kinds []audit.Kind
	for _, e := range h.store.events {
		if e.Kind == audit.ApprovalAsked || e.Kind == audit.ApprovalAnswered {
			kinds = append(kinds, e.Kind)
		}
	}
	if !slices.Equal(kinds, []audit.Kind{audit.ApprovalAsked, audit.ApprovalAnswered, audit.ApprovalAnswered}) {
		t.Errorf("recorded: %v", kinds)
	}
}

// SM-13: late ones, numbers that are guessed, the device that asks, half a log-in and a
// person at particular risk approve nothing.
func TestWhatApprovesNothing(t *testing.T) {
	h := newHouse(t)
	r, err := h.SignIn(t.Context(), tenant, "elena", goodPW, strange())
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.AskApproval(t.Context(), tenant, r.Secret, strange())
	wantCode(t, err, errs.Conflict, "approval-nobody")

	at := h.onTablet(t)
	secret, a := h.asks(t)
	id := h.waiting(t, at.Session)[0].ID
	if got := h.AnswerApproval(t.Context(), tenant, secret, id, a.Number, strange()); !errs.Is(got, errs.NotFound) {
		t.Errorf("half a log-in approves itself: %v", got)
	}
	for range 2 {
		wantCode(t, h.AnswerApproval(t.Context(), tenant, at.Secret, id, "000000", hers()), errs.Unauthenticated, "code-refused")
	}
	wantCode(t, h.AnswerApproval(t.Context(), tenant, at.Secret, id, "000000", hers()), errs.NotFound, "approval-over")
	wantCode(t, h.AnswerApproval(t.Context(), tenant, at.Secret, id, a.Number, hers()), errs.NotFound, "approval-over")
	_, err = h.TakeApproval(t.Context(), tenant, secret, a.Ticket, strange())
	wantCode(t, err, errs.Unauthenticated, "approval-denied")

	secret, a = h.asks(t)
	id = h.waiting(t, at.Session)[0].ID
	h.clock.advance(identity.ChallengeLife)
	wantCode(t, h.AnswerApproval(t.Context(), tenant, at.Secret, id, a.Number, hers()), errs.NotFound, "approval-over")
	_, err = h.TakeApproval(t.Context(), tenant, secret, a.Ticket, strange())
	wantCode(t, err, errs.Unauthenticated, "approval-late")

	if err := h.SetHighRisk(t.Context(), tenant, "elena", true); err != nil {
		t.Fatal(err)
	}
	h.onTablet(t)
	r, err = h.SignIn(t.Context(), tenant, "elena", goodPW, strange())
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.AskApproval(t.Context(), tenant, r.Secret, strange())
	wantCode(t, err, errs.Conflict, "approval-nobody")
}

// SM-14, SM-15: a fourth time within ten minutes nobody is asked, and whoever asks sees
// no difference; after two denials the way is off and the person told, until a passkey
// shows that it is the person.
func TestNobodyIsAskedUntilTheyGiveIn(t *testing.T) {
	h, d := newHouse(t), ownKey()
	at := h.onTablet(t)
	h.enrolled(t, at.Secret, d)
	for range 3 {
		h.asks(t)
	}
	secret, a := h.asks(t)
	if n := len(h.waiting(t, at.Session)); n != 3 {
		t.Fatalf("%d wait", n)
	}
	_, err := h.TakeApproval(t.Context(), tenant, secret, a.Ticket, strange())
	wantCode(t, err, errs.Conflict, "approval-waiting")
	for range 2 {
		if err := h.AnswerApproval(t.Context(), tenant, at.Secret, h.waiting(t, at.Session)[0].ID, "", hers()); err != nil {
			t.Fatal(err)
		}
	}
	if told := h.toldOf(); !slices.Contains(told, "p-elena approval-off") {
		t.Errorf("told of %v", told)
	}
	h.clock.advance(11 * time.Minute)
	r, err := h.SignIn(t.Context(), tenant, "elena", goodPW, strange())
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.AskApproval(t.Context(), tenant, r.Secret, strange())
	wantCode(t, err, errs.Conflict, "approval-nobody")
	if _, err := h.byPasskey(t, h.asked(t, d, window)); err != nil {
		t.Fatal(err)
	}
	h.onTablet(t)
	h.asks(t)
}
