package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// upstreams: sessions are found by what ended at their provider, cases by where they
// stand, and never across tenants.
func upstreams(t *testing.T, s *store.Store) {
	ctx := t.Context()
	a := identity.UpstreamSession{Tenant: tenant, Hash: "h1", Provider: "ehr", Subject: "s1", Session: "sid1", Ends: noon().Add(time.Hour)}
	b := a
	b.Hash, b.Session = "h2", "sid2"
	must(t, s.NoteUpstream(ctx, a))
	must(t, s.NoteUpstream(ctx, b))
	equal(t, got(s.UpstreamOf(ctx, tenant, "h1"))(t), a)
	_, err := s.UpstreamOf(ctx, other, "h1")
	fails(t, err, errs.NotFound)
	for _, c := range []struct {
		tenant, provider, subject, session string
		now                                time.Time
		want                               int
	}{
		{tenant, "ehr", "s1", "", noon(), 2},
		{tenant, "ehr", "", "sid1", noon(), 1},
		{tenant, "ehr", "s1", "sid2", noon(), 1},
		{tenant, "ehr", "s2", "sid2", noon(), 0},
		{tenant, "ehr", "", "", noon(), 0},
		{tenant, "idme", "s1", "", noon(), 0},
		{other, "ehr", "s1", "", noon(), 0},
		{tenant, "ehr", "s1", "", noon().Add(time.Hour), 0},
	} {
		equal(t, len(got(s.UpstreamSessions(ctx, c.tenant, c.provider, c.subject, c.session, c.now))(t)), c.want)
	}

	m := identity.Match{
		Tenant: tenant, ID: "m1", Provider: "ehr", State: identity.MatchOpen, Said: map[string]string{"name": "Rosa"},
		Found: []fhir.Reference{{Type: "Patient", ID: "rosa"}}, Created: noon(),
	}
	must(t, s.PutMatch(ctx, m))
	equal(t, got(s.MatchByID(ctx, tenant, "m1"))(t), m)
	equal(t, got(s.OpenMatches(ctx, tenant, 5))(t), []identity.Match{m})
	equal(t, len(got(s.OpenMatches(ctx, other, 5))(t)), 0)
	_, err = s.MatchByID(ctx, other, "m1")
	fails(t, err, errs.NotFound)
	m.State, m.Decided, m.By, m.PersonID = identity.MatchLinked, noon().Add(time.Minute), "p-admin", "p-rosa"
	must(t, s.PutMatch(ctx, m))
	equal(t, got(s.MatchByID(ctx, tenant, "m1"))(t), m)
	equal(t, len(got(s.OpenMatches(ctx, tenant, 5))(t)), 0)

	// An answer is taken once, in its time, by its tenant.
	must(t, s.KeepAnswer(ctx, tenant, "a1", "sealed", noon().Add(time.Minute)))
	must(t, s.KeepAnswer(ctx, tenant, "a2", "late", noon().Add(time.Minute)))
	_, err = s.TakeAnswer(ctx, other, "a1", noon())
	fails(t, err, errs.NotFound)
	_, err = s.TakeAnswer(ctx, tenant, "a2", noon().Add(time.Minute))
	fails(t, err, errs.NotFound)
	equal(t, got(s.TakeAnswer(ctx, tenant, "a1", noon()))(t), "sealed")
	_, err = s.TakeAnswer(ctx, tenant, "a1", noon())
	fails(t, err, errs.NotFound)
}
