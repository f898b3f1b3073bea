package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// code gives the last code that was sent to an address.
func (h house) sentTo(address string) string {
	for i := len(h.store.notices) - 1; i >= 0; i-- {
		if n := h.store.notices[i]; n.Template == identity.NoticeContact && n.Args["to"] == address {
			return n.Args["code"]
		}
	}
	return ""
}

func (h house) writtenTo(t *testing.T) string {
	t.Helper()
	all, err := h.Contacts(t.Context(), tenant, "p-rosa")
	if err != nil {
		t.Fatal(err)
	}
	return identity.Current(all, h.clock.Now())
}

// NI-08, NI-09, AS-03: an address counts a day after its code was typed, the person is
// told at the one before, and may take it away until then.
func TestAnAddressIsCheckedAndCools(t *testing.T) {
	h := newHouse(t)
	r := h.on(t, tablet)
	add := func(address string) error { return h.AddContact(t.Context(), tenant, r.Secret, address, tablet) }
	for _, bad := range []string{"", "rosa", "Rosa <rosa@example.org>", "a@" + strings.Repeat("b", 300) + ".org", "a@b, c@d"} {
		if err := add(bad); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q is an address: %v", bad, err)
		}
	}
	if err := add("rosa@example.org"); err != nil {
		t.Fatal(err)
	}
	code := h.sentTo("rosa@example.org")
	confirm := func(code string) error { return h.ConfirmContact(t.Context(), tenant, r.Secret, code, tablet) }
	wantCode(t, confirm("000000x"), errs.Unauthenticated, "code-refused")
	if err := confirm(code[:3] + " " + code[3:]); err != nil {
		t.Fatal(err)
	}
	wantCode(t, confirm(code), errs.Unauthenticated, "code-refused")
	if to := h.writtenTo(t); to != "" {
		t.Errorf("written to %q at once", to)
	}
	if told := strings.Join(h.toldOf(), ", "); told != "p-rosa contact-changed" {
		t.Errorf("told of %s", told)
	}
	if all, err := h.ManagedFactors(t.Context(), tenant, r.Secret); err != nil || len(all) != 1 {
		t.Errorf("an address stands among the authenticators: %v %v", all, err)
	}
	h.clock.advance(identity.ContactCooling)
	if to := h.writtenTo(t); to != "rosa@example.org" {
		t.Errorf("written to %q a day later", to)
	}
	r = h.on(t, tablet)
	if err := add("thief@example.net"); err != nil {
		t.Fatal(err)
	}
	if err := confirm(h.sentTo("thief@example.net")); err != nil {
		t.Fatal(err)
	}
	if to := h.writtenTo(t); to != "rosa@example.org" {
		t.Errorf("written to %q, where Rosa does not hear of it", to)
	}
	all, _ := h.Contacts(t.Context(), tenant, "p-rosa")
	if err := h.RemoveContact(t.Context(), tenant, r.Secret, all[1].ID, tablet); err != nil {
		t.Fatal(err)
	}
	wantCode(t, h.RemoveContact(t.Context(), tenant, r.Secret, all[1].ID, tablet), errs.NotFound, "contact-not-found")
	h.clock.advance(identity.ContactCooling)
	if to := h.writtenTo(t); to != "rosa@example.org" {
		t.Errorf("written to %q", to)
	}
}

// SM-11, SM-12, SM-20: a code ends, five are looked at, five are sent a day, and an old
// log-in changes nothing.
func TestCodesToAddressesAreFew(t *testing.T) {
	h := newHouse(t)
	r := h.on(t, tablet)
	for range 5 {
		if err := h.AddContact(t.Context(), tenant, r.Secret, "a@example.org", tablet); err != nil {
			t.Fatal(err)
		}
	}
	err := h.AddContact(t.Context(), tenant, r.Secret, "a@example.org", tablet)
	wantCode(t, err, errs.RateLimited, "too-many-tries")
	code := h.sentTo("a@example.org")
	for range 5 {
		wantCode(t, h.ConfirmContact(t.Context(), tenant, r.Secret, "wrong", tablet), errs.Unauthenticated, "code-refused")
	}
	wantCode(t, h.ConfirmContact(t.Context(), tenant, r.Secret, code, tablet), errs.Unauthenticated, "code-refused")

	h.clock.advance(25 * time.Hour)
	r = h.on(t, tablet)
	if err := h.AddContact(t.Context(), tenant, r.Secret, "b@example.org", tablet); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(11 * time.Minute)
	wantCode(t, h.ConfirmContact(t.Context(), tenant, r.Secret, h.sentTo("b@example.org"), tablet), errs.Unauthenticated, "step-up-needed")
	h.clock.advance(time.Hour)
	r = h.on(t, tablet)
	wantCode(t, h.ConfirmContact(t.Context(), tenant, r.Secret, h.sentTo("b@example.org"), tablet), errs.Unauthenticated, "code-refused")
}
