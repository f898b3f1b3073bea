package identity_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// arrival is an answer of a provider that was not used yet.
func arrival(h house, subject string, found ...fhir.Reference) identity.Upstream {
	return identity.Upstream{
		Provider: "ehr", Subject: subject, Session: "sid-" + subject, Answer: strconv.Itoa(len(h.store.events)), Until: h.clock.Now().Add(time.Hour),
		Named: identity.Named{Found: found, Sure: true}, Said: map[string]string{"name": subject},
	}
}

func withRecord(h house, person string, ref fhir.Reference, verified bool) {
	p := h.store.people[person]
	p.Identities = []identity.Identity{{Resource: ref, Patient: ref.ID, Verified: verified}}
	h.store.people[person] = p
}

// NI-14: a subject is one account's. The rules link it once and its owner is told;
// from then on the link counts, whatever the provider says of the person.
func TestASubjectIsLinkedOnceAndForOneAccount(t *testing.T) {
	h := newHouse(t)
	ref := fhir.Reference{Type: "Patient", ID: "rosa"}
	withRecord(h, "p-rosa", ref, true)
	r, err := h.SignInUpstream(t.Context(), tenant, arrival(h, "r1", ref), identity.Meta{Address: home})
	if err != nil || r.Person.ID != "p-rosa" || r.Session.Level() != identity.AAL1 {
		t.Fatalf("%v %+v", err, r)
	}
	if len(h.store.notices) != 1 || h.store.notices[0].Args["kind"] != "upstream" || h.store.notices[0].PersonID != "p-rosa" {
		t.Errorf("notices: %+v", h.store.notices)
	}
	// The link counts, not what the provider says now.
	tom := fhir.Reference{Type: "Patient", ID: "tom"}
	withRecord(h, "p-tom", tom, true)
	if r, err = h.SignInUpstream(t.Context(), tenant, arrival(h, "r1", tom), identity.Meta{Address: home}); err != nil || r.Person.ID != "p-rosa" {
		t.Errorf("%v %+v", err, r.Person)
	}
	// Another subject of the provider does not get the account by the same rule.
	_, err = h.SignInUpstream(t.Context(), tenant, arrival(h, "r2", ref), identity.Meta{Address: home})
	wantCode(t, err, errs.AccessDenied, "idp-under-review")
	if len(h.store.notices) != 1 {
		t.Errorf("%d notices", len(h.store.notices))
	}
}

// NI-14, NI-01: an answer counts once, and staff see whom no rule is sure of.
func TestWhoIsTurnedAway(t *testing.T) {
	ref := fhir.Reference{Type: "Patient", ID: "rosa"}
	for name, c := range map[string]struct {
		bend   func(house, *identity.Upstream)
		code   string
		review bool
	}{
		"nobody": {func(_ house, u *identity.Upstream) { u.Found = nil }, "idp-person-unknown", false},
		"two records": {func(_ house, u *identity.Upstream) {
			u.Found = append(u.Found, fhir.Reference{Type: "Patient", ID: "x"})
		}, "idp-under-review", true},
		"a rule not sure":     {func(_ house, u *identity.Upstream) { u.Sure = false }, "idp-under-review", true},
		"an unproofed record": {func(h house, _ *identity.Upstream) { withRecord(h, "p-rosa", ref, false) }, "idp-under-review", true},
		"a closed account": {func(h house, _ *identity.Upstream) {
			p := h.store.people["p-rosa"]
			p.Disabled = true
			h.store.people["p-rosa"] = p
		}, "idp-person-unknown", false},
	} {
		h := newHouse(t)
		withRecord(h, "p-rosa", ref, true)
		u := arrival(h, "r1", ref)
		c.bend(h, &u)
		before := len(h.store.sessions)
		_, err := h.SignInUpstream(t.Context(), tenant, u, identity.Meta{Address: home})
		if errs.As(err).Code != c.code || len(h.store.sessions) != before {
			t.Errorf("%s: %v, %d sessions", name, err, len(h.store.sessions)-before)
		}
		if open, _ := h.OpenMatches(t.Context(), tenant, 9); (len(open) == 1) != c.review {
			t.Errorf("%s: %d cases", name, len(open))
		}
		_, err = h.SignInUpstream(t.Context(), tenant, u, identity.Meta{Address: home})
		wantCode(t, err, errs.AccessDenied, "idp-replayed")
	}
}

// NI-01: what the provider proved counts; half a log-in there is half a log-in here,
// and a person at risk proves the own factor in any case.
func TestAssuranceFromElsewhere(t *testing.T) {
	for _, c := range []struct {
		who      string
		level    identity.Level
		highRisk bool
		half     bool
	}{
		{"p-rosa", identity.AAL1, false, false}, {"p-rosa", identity.AAL2, false, false},
		{"p-tom", "", false, true}, {"p-tom", identity.AAL1, false, true}, {"p-tom", identity.AAL2, false, false},
		{"p-tom", identity.AAL2, true, true},
	} {
		h := newHouse(t)
		ref := fhir.Reference{Type: "Patient", ID: "x"}
		withRecord(h, c.who, ref, true)
		p := h.store.people[c.who]
		p.HighRisk = c.highRisk
		h.store.people[c.who] = p
		u := arrival(h, "s", ref)
		u.Level = c.level
		r, err := h.SignInUpstream(t.Context(), tenant, u, identity.Meta{Address: home})
		if err != nil || r.NeedsSecondFactor != c.half || (r.Session.Level() == "") != c.half {
			t.Errorf("%+v: %v %v %q", c, err, r.NeedsSecondFactor, r.Session.Level())
		}
		if !c.half && c.level.Reaches(identity.AAL2) != r.Session.Level().Reaches(identity.AAL2) {
			t.Errorf("%+v: %q", c, r.Session.Level())
		}
	}
}

// SE-17, NI-14: what ends at the provider ends here, also after a step-up, once per
// message, and nobody else's.
func TestEndedAtTheProvider(t *testing.T) {
	h := newHouse(t)
	ref := fhir.Reference{Type: "Patient", ID: "tom"}
	withRecord(h, "p-tom", ref, true)
	r, err := h.SignInUpstream(t.Context(), tenant, arrival(h, "t1", ref), identity.Meta{Address: home})
	if err != nil {
		t.Fatal(err)
	}
	if r, err = h.SecondFactor(t.Context(), tenant, r.Secret, h.code(t), identity.Meta{Address: home}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(r.Session.AMR, []string{"fed", "otp"}) {
		t.Errorf("amr %v", r.Session.AMR)
	}
	end := identity.UpstreamEnd{Subject: "t1", Session: "sid-other", Answer: "j1", Until: h.clock.Now().Add(time.Hour)}
	for _, c := range []struct {
		provider, session, answer string
		want                      int
	}{{"ehr", "sid-other", "j1", 0}, {"idme", "sid-t1", "j2", 0}, {"ehr", "sid-t1", "j3", 1}} {
		end.Session, end.Answer = c.session, c.answer
		n, err := h.EndUpstream(t.Context(), tenant, c.provider, end, identity.Meta{})
		if err != nil || n != c.want {
			t.Errorf("%+v: %d %v", c, n, err)
		}
	}
	if _, _, err := h.Session(t.Context(), tenant, r.Secret, identity.Meta{}); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("the session lives: %v", err)
	}
	_, err = h.EndUpstream(t.Context(), tenant, "ehr", end, identity.Meta{})
	wantCode(t, err, errs.InvalidRequest, "idp-logout-replayed")
}

// A case is decided once, not by whom it is about, and the link then counts.
func TestStaffDecideWhoSomebodyIs(t *testing.T) {
	h := newHouse(t)
	ref := fhir.Reference{Type: "Patient", ID: "rosa"}
	u := arrival(h, "r1", ref)
	u.Sure = false
	if _, err := h.SignInUpstream(t.Context(), tenant, u, identity.Meta{}); err == nil {
		t.Fatal("in")
	}
	open, err := h.OpenMatches(t.Context(), tenant, 9)
	if err != nil || len(open) != 1 {
		t.Fatal(open, err)
	}
	id := open[0].ID
	wantCode(t, h.DecideMatch(t.Context(), tenant, "none", identity.Decision{}, identity.Meta{}), errs.NotFound, "match-not-found")
	wantCode(t, h.DecideMatch(t.Context(), tenant, id, identity.Decision{Username: "rosa", By: "p-rosa"}, identity.Meta{}), errs.Forbidden, "match-own")
	if err := h.DecideMatch(t.Context(), tenant, id, identity.Decision{Username: "rosa", By: "p-osei"}, identity.Meta{}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(h.told(), "factor.added decided-by-staff, match.decided linked") {
		t.Errorf("%q", h.told())
	}
	wantCode(t, h.DecideMatch(t.Context(), tenant, id, identity.Decision{}, identity.Meta{}), errs.Conflict, "match-decided")
	if r, err := h.SignInUpstream(t.Context(), tenant, arrival(h, "r1"), identity.Meta{}); err != nil || r.Person.ID != "p-rosa" {
		t.Errorf("%v %+v", err, r.Person)
	}
}

// SM-05: an account is linked from a fresh log-in of its owner with an answer that was
// not used, never with a subject that is somebody's.
func TestLinkingIsNoTakeover(t *testing.T) {
	h := newHouse(t)
	rosa, noah := h.signIn(t, "rosa"), h.finish(t, "tom")
	link := func(r identity.SignInResult, u identity.Upstream) error {
		return h.LinkUpstream(t.Context(), tenant, r.Secret, u, identity.Meta{Address: home})
	}
	u := arrival(h, "r1")
	if err := link(rosa, u); err != nil {
		t.Fatal(err)
	}
	if e := lastEvent(t, h); e.Kind != "factor.added" || e.Reason != "linked-by-owner" || e.PersonID != "p-rosa" {
		t.Errorf("%+v", e)
	}
	wantCode(t, link(rosa, u), errs.AccessDenied, "idp-replayed")
	wantCode(t, link(noah, arrival(h, "r1")), errs.Conflict, "idp-linked")
	if e := lastEvent(t, h); e.Reason != "idp-linked" || e.PersonID != "p-tom" || len(h.store.notices) != 1 {
		t.Errorf("%+v, %d notices", e, len(h.store.notices))
	}
	wantCode(t, link(rosa, arrival(h, "r2")), errs.Conflict, "idp-linked")
	wantCode(t, link(identity.SignInResult{Secret: "none"}, arrival(h, "r3")), errs.Unauthenticated, "session-ended")
	wantCode(t, link(h.signIn(t, "osei"), arrival(h, "r4")), errs.Unauthenticated, "step-up-needed")
	h.clock.advance(identity.ManageWithin + time.Second)
	wantCode(t, link(noah, arrival(h, "r5")), errs.Unauthenticated, "step-up-needed")
	// Taken away, it lets nobody in, and what came by it ends.
	in, err := h.SignInUpstream(t.Context(), tenant, arrival(h, "r1"), identity.Meta{Address: home})
	if err != nil {
		t.Fatal(err)
	}
	rosa = h.signIn(t, "rosa")
	for _, f := range h.store.factors {
		if f.Kind == identity.FactorUpstream {
			if err := h.RemoveFactor(t.Context(), tenant, rosa.Secret, f.ID, identity.Meta{}); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	if _, _, err := h.Session(t.Context(), tenant, in.Secret, identity.Meta{}); !errs.Is(err, errs.Unauthenticated) {
		t.Errorf("a session that came by the link lives: %v", err)
	}
	_, err = h.SignInUpstream(t.Context(), tenant, arrival(h, "r1"), identity.Meta{Address: home})
	wantCode(t, err, errs.AccessDenied, "idp-person-unknown")
}
