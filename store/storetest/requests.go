package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
)

// accessRequests: what somebody asks for is found by who asked and while nobody looked
// for the patient, and two writers never both win (LC-04).
func accessRequests(t *testing.T, s *store.Store) {
	ctx := t.Context()
	r := proxy.Request{
		Tenant: tenant, ID: "q1", Version: 1, Person: "p-bea", Open: true, Created: noon(), Due: noon().Add(proxy.RequestLife), Name: "Bea Brook",
		Sought: proxy.Sought{Name: "Rosa Alvarez", Born: "1947-03-02", Number: "100"}, Relationship: "FRND", Kind: "HPOWATT",
		Files: []proxy.RequestFile{{Media: "image/png", Bytes: []byte{1, 2}}},
	}
	must(t, s.PutRequest(ctx, r, 0))
	fails(t, s.PutRequest(ctx, r, 0), errs.Conflict)
	equal(t, got(s.RequestByID(ctx, tenant, "q1"))(t), r)
	equal(t, got(s.RequestsOpen(ctx, tenant, 5))(t), []proxy.Request{r})
	equal(t, len(got(s.RequestsOpen(ctx, other, 5))(t)), 0)
	next := r
	next.Version, next.Open, next.Files = 2, false, nil
	must(t, s.PutRequest(ctx, next, 1))
	fails(t, s.PutRequest(ctx, next, 1), errs.PreconditionFailed)
	equal(t, len(got(s.RequestsOpen(ctx, tenant, 5))(t)), 0)
	later := r
	later.ID, later.Created = "q2", noon().Add(time.Hour)
	must(t, s.PutRequest(ctx, later, 0))
	equal(t, got(s.RequestsOfPerson(ctx, tenant, "p-bea"))(t), []proxy.Request{later, next})
	equal(t, len(got(s.RequestsOfPerson(ctx, tenant, "p-ann"))(t)), 0)
	_, err := s.RequestByID(ctx, other, "q1")
	fails(t, err, errs.NotFound)
}
