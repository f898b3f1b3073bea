package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
)

// exact holds what a JSON column type would change: order, spaces, 107.00.
const exact = "{ \"z\": 107.00,\n \"a\":\t\"\u00e9\" }"

func related(version int) proxy.RelatedPerson {
	return proxy.RelatedPerson{Tenant: tenant, ID: "maria", Version: version, Patient: "rosa", Active: true,
		Period:       fhir.Period{Start: noon(), End: noon().AddDate(1, 0, 0)},
		Relationship: []fhir.Coding{{System: fhir.SystemRoleCode, Code: "DAU"}},
		JSON:         []byte(exact), Updated: noon()}
}

func relatedPersons(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.RelatedPersonByID(ctx, tenant, "maria")
	fails(t, err, errs.NotFound)
	fails(t, s.PutRelatedPerson(ctx, related(2), 1), errs.PreconditionFailed)
	must(t, s.PutRelatedPerson(ctx, related(1), 0))
	fails(t, s.PutRelatedPerson(ctx, related(1), 0), errs.Conflict)
	equal(t, got(s.RelatedPersonByID(ctx, tenant, "maria"))(t), related(1))
	equal(t, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t), int64(1))

	second := related(2)
	second.Patient, second.Active, second.Period.End, second.Relationship = "luis", false, time.Time{}, nil
	must(t, s.PutRelatedPerson(ctx, second, 1))
	fails(t, s.PutRelatedPerson(ctx, second, 1), errs.PreconditionFailed)
	fails(t, s.PutRelatedPerson(ctx, related(9), 2), errs.Internal)
	equal(t, got(s.RelatedPersonByID(ctx, tenant, "maria"))(t), second)
	equal(t, got(s.RelatedPersonVersion(ctx, tenant, "maria", 1))(t), related(1))
	equal(t, got(s.RelatedPersonVersion(ctx, tenant, "maria", 2))(t), second)
	_, err = s.RelatedPersonVersion(ctx, tenant, "maria", 3)
	fails(t, err, errs.NotFound)
	equal(t, len(got(s.RelatedPersonsOfPatient(ctx, tenant, "rosa"))(t)), 0)
	equal(t, got(s.RelatedPersonsOfPatient(ctx, tenant, "luis"))(t), []proxy.RelatedPerson{second})
	// Both patients' decisions are stale now.
	equal(t, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t), int64(2))
	equal(t, got(s.ConsentEpoch(ctx, tenant, "luis"))(t), int64(1))
}

func record(id string, version int) consent.Record {
	return consent.Record{Tenant: tenant, ID: id, Version: version, Patient: "rosa", Status: "active",
		Kind: consent.KindGrant, Actors: []fhir.Reference{{Type: "RelatedPerson", ID: "maria"}},
		JSON: []byte(exact), Updated: noon()}
}

func consents(t *testing.T, s *store.Store) {
	ctx := t.Context()
	maria, pedro := fhir.Reference{Type: "RelatedPerson", ID: "maria"}, fhir.Reference{Type: "RelatedPerson", ID: "pedro"}
	_, err := s.ConsentByID(ctx, tenant, "c1")
	fails(t, err, errs.NotFound)
	fails(t, s.PutConsent(ctx, record("c1", 2), 1), errs.PreconditionFailed)
	must(t, s.PutConsent(ctx, record("c2", 1), 0))
	must(t, s.PutConsent(ctx, record("c1", 1), 0))
	fails(t, s.PutConsent(ctx, record("c1", 1), 0), errs.Conflict)
	equal(t, got(s.ConsentByID(ctx, tenant, "c1"))(t), record("c1", 1))
	equal(t, got(s.ConsentsOfPatient(ctx, tenant, "rosa"))(t), []consent.Record{record("c1", 1), record("c2", 1)})
	equal(t, got(s.ConsentsOfActor(ctx, tenant, maria))(t), []consent.Record{record("c1", 1), record("c2", 1)})

	// The newest version alone says who is an actor; naming one twice is fine.
	next := record("c1", 2)
	next.Actors = []fhir.Reference{pedro, pedro}
	must(t, s.PutConsent(ctx, next, 1))
	equal(t, got(s.ConsentsOfActor(ctx, tenant, maria))(t), []consent.Record{record("c2", 1)})
	equal(t, got(s.ConsentsOfActor(ctx, tenant, pedro))(t), []consent.Record{next})
	bare := record("c1", 3)
	bare.Actors = nil
	must(t, s.PutConsent(ctx, bare, 2))
	equal(t, len(got(s.ConsentsOfActor(ctx, tenant, pedro))(t)), 0)
	equal(t, got(s.ConsentByID(ctx, tenant, "c1"))(t), bare)
}

func consentHistory(t *testing.T, s *store.Store) {
	ctx := t.Context()
	_, err := s.ConsentHistory(ctx, tenant, "c1")
	fails(t, err, errs.NotFound)
	for v := 1; v <= 3; v++ {
		must(t, s.PutConsent(ctx, record("c1", v), v-1))
	}
	equal(t, got(s.ConsentHistory(ctx, tenant, "c1"))(t),
		[]consent.Record{record("c1", 3), record("c1", 2), record("c1", 1)})
	for v := 1; v <= 3; v++ {
		equal(t, got(s.ConsentVersion(ctx, tenant, "c1", v))(t), record("c1", v))
	}
	_, err = s.ConsentVersion(ctx, tenant, "c1", 4)
	fails(t, err, errs.NotFound)
	for _, known := range []int{1, 2, 4} {
		fails(t, s.PutConsent(ctx, record("c1", known+1), known), errs.PreconditionFailed)
	}
	must(t, s.PutConsent(ctx, record("c2", 1), 0))
	approval := record("c3", 1)
	approval.Kind = consent.KindAppApproval
	must(t, s.PutConsent(ctx, approval, 0))
	var listed []consent.VersionRef
	for after := (consent.VersionRef{}); ; {
		page := got(s.ConsentVersions(ctx, tenant, "rosa", after, 2))(t)
		if len(page) == 0 {
			break
		}
		listed, after = append(listed, page...), page[len(page)-1]
	}
	equal(t, listed, []consent.VersionRef{{ID: "c1", Version: 1, Updated: noon()}, {ID: "c1", Version: 2, Updated: noon()},
		{ID: "c1", Version: 3, Updated: noon()}, {ID: "c2", Version: 1, Updated: noon()}})
	equal(t, len(got(s.ConsentVersions(ctx, tenant, "", consent.VersionRef{}, 9))(t)), 4)
	equal(t, len(got(s.ConsentVersions(ctx, tenant, "luis", consent.VersionRef{}, 9))(t)), 0)
	equal(t, len(got(s.ConsentVersions(ctx, other, "", consent.VersionRef{}, 9))(t)), 0)
}

func consentEpoch(t *testing.T, s *store.Store) {
	ctx := t.Context()
	epoch := func(patient string) int64 { return got(s.ConsentEpoch(ctx, tenant, patient))(t) }
	equal(t, epoch("rosa"), int64(0))
	must(t, s.PutConsent(ctx, record("c1", 1), 0))
	equal(t, epoch("rosa"), int64(1))
	fails(t, s.PutConsent(ctx, record("c1", 1), 0), errs.Conflict)
	equal(t, epoch("rosa"), int64(1))
	moved := record("c1", 2)
	moved.Patient = "luis"
	must(t, s.PutConsent(ctx, moved, 1))
	equal(t, []int64{epoch("rosa"), epoch("luis")}, []int64{2, 1})
}

// withdrawnPolicies: the active grants are met page by page, and a withdrawal
// stands as it was last kept.
func withdrawnPolicies(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const uri = "https://mandate.example/policy/proxy/template/x/1"
	stop, ended := record("c3", 1), record("c4", 1)
	stop.Kind, ended.Status = consent.KindProhibition, "inactive"
	other := record("c0", 1)
	other.Tenant = "elsewhere"
	for _, r := range []consent.Record{record("c5", 1), record("c1", 1), record("c2", 1), stop, ended, other} {
		must(t, s.PutConsent(ctx, r, 0))
	}
	equal(t, got(s.ActiveGrants(ctx, tenant, "", 2))(t), []consent.Record{record("c1", 1), record("c2", 1)})
	equal(t, got(s.ActiveGrants(ctx, tenant, "c2", 2))(t), []consent.Record{record("c5", 1)})
	equal(t, len(got(s.ActiveGrants(ctx, tenant, "c5", 2))(t)), 0)

	_, err := s.PolicyCampaign(ctx, tenant, uri)
	fails(t, err, errs.NotFound)
	c := consent.Campaign{Tenant: tenant, URI: uri, Since: noon()}
	must(t, s.PutPolicyCampaign(ctx, c))
	equal(t, got(s.PolicyCampaign(ctx, tenant, uri))(t), c)
	c.After, c.Checked, c.Ended, c.Done = "c5", 3, 1, true
	must(t, s.PutPolicyCampaign(ctx, c))
	equal(t, got(s.PolicyCampaign(ctx, tenant, uri))(t), c)
	_, err = s.PolicyCampaign(ctx, "elsewhere", uri)
	fails(t, err, errs.NotFound)
}
