package identity_test

import (
	"testing"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// UDP-35: whom a provider vouches for is found by the rule or not at all, and
// nobody gets in by it whom a password alone would not let in.
func TestVouchedFor(t *testing.T) {
	h := newHouse(t)
	rosa := h.store.people["p-rosa"]
	own, claimed := fhir.Reference{Type: "Patient", ID: "rosa"}, fhir.Reference{Type: "Patient", ID: "claimed"}
	rosa.Identities = []identity.Identity{{Resource: own, Patient: "rosa", Verified: true}, {Resource: claimed, Patient: "claimed"}}
	h.store.people["p-rosa"] = rosa
	for _, c := range []struct {
		name    string
		voucher identity.Voucher
		in      bool
		event   string
	}{
		{"by resource", identity.Voucher{Resource: own}, true, "login.succeeded"},
		{"by username", identity.Voucher{Username: "ROSA"}, true, "login.succeeded"},
		{"a link that was not proofed", identity.Voucher{Resource: claimed}, false, "login.failed account-unknown"},
		{"a resource of nobody, whatever the username", identity.Voucher{Resource: fhir.Reference{Type: "Patient", ID: "x"}, Username: "rosa"}, false, "login.failed account-unknown"},
		{"nobody", identity.Voucher{}, false, "login.failed account-unknown"},
		{"unknown", identity.Voucher{Username: "nobody"}, false, "login.failed account-unknown"},
		{"closed", identity.Voucher{Username: "gone"}, false, "login.failed account-disabled"},
	} {
		h.store.events = nil
		before := len(h.store.sessions)
		r, err := h.SignInVouched(t.Context(), tenant, c.voucher, identity.Meta{Address: home})
		if h.told() != c.event || (len(h.store.sessions) > before) != c.in {
			t.Errorf("%s: %q, %d sessions", c.name, h.told(), len(h.store.sessions)-before)
		}
		if !c.in {
			wantCode(t, err, errs.AccessDenied, "idp-person-unknown")
			continue
		}
		if err != nil || r.NeedsSecondFactor || r.Session.Level() != identity.AAL1 || len(r.Session.AMR) != 1 || r.Session.AMR[0] != "fed" {
			t.Errorf("%s: %v %+v", c.name, err, r)
		}
	}
	// NI-01: staff, proxies and whoever enrolled a second factor prove both here.
	for _, name := range []string{"tom", "elena", "osei", "bare"} {
		r, err := h.SignInVouched(t.Context(), tenant, identity.Voucher{Username: name}, identity.Meta{Address: home})
		if err != nil || !r.NeedsSecondFactor || r.Secret != "" {
			t.Errorf("%s: %v %+v", name, err, r)
		}
	}
}

// SE-13: the session before ends.
func TestVouchedForReplacesTheSession(t *testing.T) {
	h := newHouse(t)
	old := h.signIn(t, "rosa")
	if _, err := h.SignInVouched(t.Context(), tenant, identity.Voucher{Username: "rosa"}, identity.Meta{Address: home, Previous: old.Secret}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Session(t.Context(), tenant, old.Secret, identity.Meta{}); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("the old cookie still opens: %v", err)
	}
}
