package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// approved is a grant and what was agreed to when it was made.
func approved(id, patient string) (oauth.Grant, consent.Approval) {
	g := grant(id, noon().Add(1234567*time.Microsecond))
	g.ConsentID, g.ConsentVersion, g.Scopes = id, 1, "openid patient/Observation.rs patient/Condition.rs"
	g.Capacity.Patient, g.Context = patient, oauth.Context{Patient: patient}
	return g, consent.Approval{
		ID: id, Patient: patient, Performer: g.Capacity.Acting, ClientID: g.ClientID, ClientName: `The "app" & more`,
		Organization: fhir.Reference{Type: "Organization", ID: "o"}, At: g.Created, End: g.Ends,
		Scopes: []string{"openid", "patient/Observation.rs", "patient/Condition.rs"},
	}
}

// approvals: the Consent that records an app's approval is read, searched and
// changed as any other, wherever it is kept (D14, LC-10, REV-03).
func approvals(t *testing.T, s *store.Store) {
	ctx := t.Context()
	device := fhir.Reference{Type: "Device", ID: "app"}
	var want []consent.Record
	for _, id := range []string{"g1", "g2"} {
		g, a := approved(id, "rosa")
		must(t, s.CreateApproved(ctx, g, a))
		equal(t, got(s.GrantByID(ctx, tenant, id))(t), g)
		want = append(want, got(a.Record(tenant))(t))
		want[len(want)-1].Updated = g.Created
	}
	// One that its row does not tell is kept apart.
	odd, a := approved("g3", "rosa")
	odd.ConsentID, a.ID, a.Scopes = "c3", "c3", nil
	must(t, s.CreateApproved(ctx, odd, a))
	third := got(a.Record(tenant))(t)
	want = append([]consent.Record{third}, want...)
	equal(t, got(s.ConsentsOfPatient(ctx, tenant, "rosa"))(t), want)
	equal(t, got(s.ConsentsOfActor(ctx, tenant, device))(t), want)
	equal(t, len(got(s.ConsentsOfActor(ctx, tenant, fhir.Reference{Type: "RelatedPerson", ID: "app"}))(t)), 0)
	equal(t, len(got(s.ConsentsOfPatient(ctx, other, "rosa"))(t)), 0)
	first := want[1]
	equal(t, got(s.ConsentByID(ctx, tenant, "g1"))(t), first)
	equal(t, got(s.ConsentVersion(ctx, tenant, "g1", 1))(t), first)
	_, err := s.ConsentVersion(ctx, tenant, "g1", 2)
	fails(t, err, errs.NotFound)
	_, err = s.ConsentByID(ctx, other, "g1")
	fails(t, err, errs.NotFound)
	equal(t, got(s.ConsentHistory(ctx, tenant, "g1"))(t), []consent.Record{first})
	equal(t, len(got(s.LiveConsents(ctx, consent.KindAppApproval))(t)), 3)
	equal(t, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t), int64(0))

	// Nobody takes its place, and it is withdrawn once.
	fails(t, s.PutConsent(ctx, record("g1", 1), 0), errs.Conflict)
	next := got(consent.Revoke(first, noon().Add(time.Hour)))(t)
	equal(t, race(t, 8, errs.PreconditionFailed, func(int) (bool, error) { return true, s.PutConsent(ctx, next, 1) }), 1)
	equal(t, got(s.ConsentByID(ctx, tenant, "g1"))(t), next)
	equal(t, got(s.ConsentVersion(ctx, tenant, "g1", 1))(t), first)
	equal(t, got(s.ConsentHistory(ctx, tenant, "g1"))(t), []consent.Record{next, first})
	equal(t, got(s.ConsentsOfPatient(ctx, tenant, "rosa"))(t), []consent.Record{third, next, want[2]})
	equal(t, got(s.ConsentsOfActor(ctx, tenant, device))(t), []consent.Record{third, next, want[2]})
	equal(t, len(got(s.LiveConsents(ctx, consent.KindAppApproval))(t)), 2)
	equal(t, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t), int64(1))
	_, st, err := s.TokenStanding(ctx, tenant, oauth.TokenRef{ID: "t", ClientID: "app", GrantID: "g1"})
	must(t, err)
	equal(t, st.ApprovalEnded, true)

	// The end of a grant moves while it is used; what was agreed to stays.
	must(t, s.ExtendGrant(ctx, tenant, "g2", noon().Add(1000*time.Hour)))
	equal(t, got(s.ConsentByID(ctx, tenant, "g2"))(t), want[2])

	g, bad := approved("g4", "rosa")
	bad.ClientID = ""
	fails(t, s.CreateApproved(ctx, g, bad), errs.Invalid)
	g, again := approved("g1", "rosa")
	fails(t, s.CreateApproved(ctx, g, again), errs.Conflict)
}
