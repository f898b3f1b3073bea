package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// SE-17: where a person is signed in, and SM-06: which devices are known.
func devicesOfPeople(t *testing.T, s *store.Store) {
	ctx := t.Context()
	late, over, others := session(), session(), session()
	late.Hash, late.Created = "h2", noon().Add(time.Second)
	over.Hash, over.IdleEnds = "h3", noon()
	others.Hash, others.PersonID = "h4", "p-luis"
	for _, v := range []identity.Session{session(), late, over, others} {
		must(t, s.CreateSession(ctx, v))
	}
	equal(t, got(s.SessionsOfPerson(ctx, tenant, "p-rosa", noon()))(t), []identity.Session{late, session()})
	must(t, s.EndSession(ctx, tenant, "h2", noon()))
	equal(t, got(s.SessionsOfPerson(ctx, tenant, "p-rosa", noon()))(t), []identity.Session{session()})
	equal(t, len(got(s.SessionsOfPerson(ctx, other, "p-rosa", noon()))(t)), 0)

	must(t, s.ReplaceSession(ctx, tenant, "h1", "h0", noon().Add(time.Minute)))
	must(t, s.ReplaceSession(ctx, tenant, "h1", "hx", noon().Add(time.Hour)))
	replaced := session()
	replaced.Replaced = noon().Add(time.Minute)
	equal(t, got(s.SessionByHash(ctx, tenant, "h1"))(t), replaced)
	equal(t, len(got(s.SessionsOfPerson(ctx, tenant, "p-rosa", noon()))(t)), 0)
	equal(t, got(s.ReplacedSessions(ctx, late))(t), []string{"h1"})
	equal(t, len(got(s.ReplacedSessions(ctx, others))(t)), 0)
	must(t, s.EndSession(ctx, tenant, "h1", noon()))
	equal(t, len(got(s.ReplacedSessions(ctx, late))(t)), 0)

	d := identity.Device{Tenant: tenant, PersonID: "p-rosa", Hash: "d", Agent: "Firefox/Windows", Network: "203.0.113.0/24", Created: noon(), LastSeen: noon()}
	must(t, s.PutDevice(ctx, d))
	again := d
	again.Created, again.LastSeen, again.Network = noon().Add(time.Hour), noon().Add(time.Hour), "unknown"
	must(t, s.PutDevice(ctx, again))
	again.Created = noon()
	equal(t, got(s.DeviceOf(ctx, tenant, "p-rosa", "d"))(t), again)
	for _, absent := range [][3]string{{tenant, "p-luis", "d"}, {other, "p-rosa", "d"}, {tenant, "p-rosa", "e"}} {
		_, err := s.DeviceOf(ctx, absent[0], absent[1], absent[2])
		fails(t, err, errs.NotFound)
	}
	equal(t, got(s.DevicesOfPerson(ctx, tenant, "p-rosa"))(t), []identity.Device{again})
	equal(t, len(got(s.DevicesOfPerson(ctx, other, "p-rosa"))(t)), 0)
	must(t, s.DropDevice(ctx, tenant, "p-rosa", "d"))
	_, err := s.DeviceOf(ctx, tenant, "p-rosa", "d")
	fails(t, err, errs.NotFound)
}

// NI-06: failures in a row, whatever the time between them, and SM-17: when the last
// one was.
func inARow(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, got(s.Consecutive(ctx, tenant, "rosa"))(t), 0)
	for i := range 3 {
		equal(t, got(s.CountConsecutive(ctx, tenant, "rosa", noon().AddDate(i, 0, 0)))(t), i+1)
	}
	equal(t, got(s.CountConsecutive(ctx, other, "rosa", noon()))(t), 1)
	equal(t, got(s.Consecutive(ctx, tenant, "rosa"))(t), 3)
	must(t, s.ClearConsecutive(ctx, tenant, "rosa"))
	equal(t, got(s.Consecutive(ctx, tenant, "rosa"))(t), 0)
	equal(t, got(s.Consecutive(ctx, other, "rosa"))(t), 1)

	equal(t, got(s.LastFailure(ctx, tenant, "luis", noon(), time.Minute))(t), time.Time{})
	got(s.CountFailure(ctx, tenant, "luis", noon(), time.Minute))(t)
	got(s.CountFailure(ctx, tenant, "luis", noon().Add(time.Second), time.Minute))(t)
	equal(t, got(s.LastFailure(ctx, tenant, "luis", noon().Add(2*time.Second), time.Minute))(t), noon().Add(time.Second))
	equal(t, got(s.LastFailure(ctx, tenant, "luis", noon().Add(time.Hour), time.Minute))(t), time.Time{})
}
