package identity_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// NI-05, AS-02, AS-03: a new password takes the place of the old, other sessions
// end, the person is told.
func TestRosaChangesHerPassword(t *testing.T) {
	h := newHouse(t)
	elsewhere, rosa := h.signIn(t, "rosa").Secret, h.signIn(t, "rosa").Secret
	change := func(pw string) error { return h.ChangePassword(t.Context(), tenant, rosa, pw, identity.Meta{}) }
	wantCode(t, change("fourteen chars"), errs.Invalid, "password-too-short")
	wantCode(t, change("my name is ROSA and I walk"), errs.Invalid, "password-username")
	wantCode(t, change(strings.Repeat("x", 2000)), errs.Invalid, "password-too-long")
	h.store.notices = nil
	if err := change("the old bridge at noon"); err != nil {
		t.Fatal(err)
	}
	if len(h.store.notices) != 1 || !strings.Contains(h.told(), "logout password-changed") {
		t.Errorf("%v; %s", h.store.notices, h.told())
	}
	_, _, err := h.Session(t.Context(), tenant, elsewhere, identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "session-ended")
	if _, _, err := h.Session(t.Context(), tenant, rosa, identity.Meta{}); err != nil {
		t.Error(err)
	}
	_, err = h.SignIn(t.Context(), tenant, "rosa", goodPW, identity.Meta{})
	wantCode(t, err, errs.Unauthenticated, "sign-in-failed")
	if _, err := h.SignIn(t.Context(), tenant, "rosa", "the old bridge at noon", identity.Meta{}); err != nil {
		t.Error(err)
	}
	// With a second factor a shorter one will do; without a fresh log-in none does.
	elena := h.finish(t, "elena").Secret
	if err := h.ChangePassword(t.Context(), tenant, elena, "nine char", identity.Meta{}); err != nil {
		t.Error(err)
	}
	h.clock.advance(identity.ManageWithin * 2)
	wantCode(t, change("another quiet evening walk"), errs.Unauthenticated, "step-up-needed")
}
