package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// RS-01 … RS-11: a record is found by whom it is about, by whose it is and by what
// it speaks about; each change is a version, and of two who change one loses.
func evidenceRecords(t *testing.T, s *store.Store) {
	ctx := t.Context()
	task := evidence.Record{
		Tenant: tenant, Type: evidence.TypeTask, ID: "t1", Version: 1, Patient: "rosa", Person: "p-elena", Focus: "RelatedPerson/r1",
		Status: "requested", JSON: []byte(`{"a":1}`), Updated: noon(),
	}
	human := evidence.Record{
		Tenant: tenant, Type: evidence.TypePerson, ID: "h1", Version: 1, Person: "p-elena", Status: "active", JSON: []byte(`{"h":1}`), Updated: noon().Add(time.Second),
	}
	must(t, s.PutEvidence(ctx, task, 0))
	fails(t, s.PutEvidence(ctx, task, 0), errs.Conflict)
	must(t, s.PutEvidence(ctx, human, 0))
	next := task
	next.Version, next.Status, next.JSON, next.Updated = 2, "received", []byte(`{"a":2}`), noon().Add(time.Minute)
	fails(t, s.PutEvidence(ctx, next, 2), errs.Internal)
	must(t, s.PutEvidence(ctx, next, 1))
	fails(t, s.PutEvidence(ctx, next, 1), errs.PreconditionFailed)

	equal(t, got(s.EvidenceByID(ctx, tenant, "t1"))(t), next)
	equal(t, got(s.EvidenceByID(ctx, tenant, "h1"))(t), human)
	equal(t, got(s.EvidenceHistory(ctx, tenant, "t1"))(t), []evidence.Record{next, task})
	for _, id := range []string{"t2", ""} {
		_, err := s.EvidenceByID(ctx, tenant, id)
		fails(t, err, errs.NotFound)
		_, err = s.EvidenceHistory(ctx, tenant, id)
		fails(t, err, errs.NotFound)
	}
	_, err := s.EvidenceByID(ctx, other, "t1")
	fails(t, err, errs.NotFound)

	for _, one := range []struct {
		f    evidence.Filter
		want []evidence.Record
	}{
		{evidence.Filter{Patient: "rosa"}, []evidence.Record{next}},
		{evidence.Filter{Person: "p-elena"}, []evidence.Record{human, next}},
		{evidence.Filter{Person: "p-elena", Type: evidence.TypePerson}, []evidence.Record{human}},
		{evidence.Filter{Focus: "RelatedPerson/r1"}, []evidence.Record{next}},
		{evidence.Filter{Patient: "rosa", Focus: "RelatedPerson/r2"}, nil},
		{evidence.Filter{Patient: "rosa", Person: "p-else"}, nil},
		{evidence.Filter{Patient: "rosa", Type: evidence.TypeFlag}, nil},
	} {
		one.f.Tenant = tenant
		equal(t, got(s.EvidenceOf(ctx, one.f))(t), one.want)
		one.f.Tenant = other
		equal(t, len(got(s.EvidenceOf(ctx, one.f))(t)), 0)
	}
	_, err = s.EvidenceOf(ctx, evidence.Filter{Tenant: tenant, Type: evidence.TypeTask})
	fails(t, err, errs.Invalid)
}
