package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
)

// proxyCases: a way to a record is found by whom it is about, by whose it is, by
// its invitation and by when it is due, and two writers never both win.
func proxyCases(t *testing.T, s *store.Store) {
	matters(t, s)
	accessRequests(t, s)
	ctx := t.Context()
	by := proxy.Signed{By: "p-rosa", At: noon()}
	c := proxy.Case{
		Tenant: tenant, ID: "case1", Version: 1, Patient: "rosa", State: proxy.StateInvited, Secret: "hash1", Updated: noon(),
		Basis: proxy.BasisDesignated, Name: "Elena", Email: "elena@example.org", Relationship: "DAUC", Invited: by,
		InviteEnds: noon().Add(time.Hour), Steps: []proxy.Step{{Act: proxy.ActInvite, To: proxy.StateInvited, Signed: by}},
	}
	must(t, s.PutCase(ctx, c, 0))
	fails(t, s.PutCase(ctx, c, 0), errs.Conflict)
	equal(t, got(s.CaseByID(ctx, tenant, "case1"))(t), c)
	equal(t, got(s.CaseBySecret(ctx, tenant, "hash1"))(t), c)
	equal(t, got(s.CasesOfPatient(ctx, tenant, "rosa"))(t), []proxy.Case{c})
	equal(t, got(s.CasesIn(ctx, tenant, proxy.StateInvited, 5))(t), []proxy.Case{c})
	equal(t, got(s.CasesAfter(ctx, tenant, proxy.StateInvited, "", 5))(t), []proxy.Case{c})
	equal(t, len(got(s.CasesAfter(ctx, tenant, proxy.StateInvited, c.ID, 5))(t)), 0)
	equal(t, len(got(s.CasesOfPatient(ctx, other, "rosa"))(t)), 0)
	equal(t, len(got(s.CasesDue(ctx, tenant, noon().AddDate(9, 0, 0), 5))(t)), 0)

	next := c
	next.Version, next.State, next.PersonID, next.Secret, next.Due, next.Updated = 2, proxy.StateAccount, "p-elena", "", noon().Add(time.Minute), noon().Add(time.Second)
	must(t, s.PutCase(ctx, next, 1))
	fails(t, s.PutCase(ctx, next, 1), errs.PreconditionFailed)
	equal(t, got(s.CasesOfPerson(ctx, tenant, "p-elena"))(t), []proxy.Case{next})
	equal(t, len(got(s.CasesOfPerson(ctx, tenant, ""))(t)), 0)
	equal(t, len(got(s.CasesIn(ctx, tenant, proxy.StateInvited, 5))(t)), 0)
	equal(t, len(got(s.CasesDue(ctx, tenant, noon(), 5))(t)), 0)
	equal(t, got(s.CasesDue(ctx, tenant, noon().Add(time.Minute), 5))(t), []proxy.Case{next})
	for _, hash := range []string{"hash1", ""} {
		_, err := s.CaseBySecret(ctx, tenant, hash)
		fails(t, err, errs.NotFound)
	}
	_, err := s.CaseByID(ctx, other, "case1")
	fails(t, err, errs.NotFound)
	endedAccess(t, s)
}

// endedAccess: what somebody was granted for one patient ends, once, and nothing
// that they have in another capacity or for another patient.
func endedAccess(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	capacity := func(kind fhir.CapacityKind, patient string) fhir.Capacity {
		return fhir.Capacity{Kind: kind, Acting: fhir.Reference{Type: "RelatedPerson", ID: "r-" + patient}, Patient: patient}
	}
	for id, c := range map[string]fhir.Capacity{
		"e1": capacity(fhir.CapacityDesignatedProxy, "rosa"), "e2": capacity(fhir.CapacityRepresentative, "joaquin"), "e3": capacity(fhir.CapacitySelf, "rosa"),
	} {
		g := grant(id, noon())
		g.PersonID, g.Capacity, g.Context.Patient = "p-bea", c, c.Patient
		must(t, s.CreateGrant(ctx, g))
	}
	equal(t, got(s.EndAccess(ctx, tenant, "p-bea", "rosa", "over", noon()))(t), 1)
	equal(t, got(s.EndAccess(ctx, tenant, "p-bea", "rosa", "over", noon()))(t), 0)
	equal(t, got(s.EndAccess(ctx, other, "p-bea", "", "over", noon()))(t), 0)
	equal(t, got(s.EndAccess(ctx, tenant, "p-bea", "", "over", noon()))(t), 1)
	equal(t, got(s.GrantByID(ctx, tenant, "e1"))(t).Reason, "over")
	equal(t, got(s.GrantByID(ctx, tenant, "e3"))(t).Revoked.IsZero(), true)
}
