package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/store"
)

func pending() oauth.Pending {
	return oauth.Pending{Tenant: tenant, ID: "f1", Created: noon(), Expires: noon().Add(time.Hour)}
}

func times(t *testing.T, s *store.Store) {
	ctx := t.Context()
	end := func(in time.Time) time.Time {
		v := proxy.RelatedPerson{Tenant: tenant, ID: "x", Period: fhir.Period{End: in}}
		old, err := s.RelatedPersonByID(ctx, tenant, "x")
		if err != nil {
			fails(t, err, errs.NotFound)
		}
		must(t, s.PutRelatedPerson(ctx, v, old.Version))
		return got(s.RelatedPersonByID(ctx, tenant, "x"))(t).Period.End
	}
	zone := time.FixedZone("", -5*3600)
	for name, c := range map[string]struct{ in, want time.Time }{
		"zero":         {time.Time{}, time.Time{}},
		"microseconds": {noon(), noon()},
		"finer is cut": {noon().Add(999 * time.Nanosecond), noon()},
		"zone":         {noon().In(zone), noon()},
		"before 1970":  {time.Date(1931, 5, 6, 7, 8, 9, 1000, time.UTC), time.Date(1931, 5, 6, 7, 8, 9, 1000, time.UTC)},
		"far":          {time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		// Never an open bound: that would let somebody in for ever.
		"the epoch": {time.Unix(0, 0), time.Unix(0, -1000).UTC()},
	} {
		t.Run(name, func(t *testing.T) { equal(t, end(c.in), c.want) })
	}
}

func housekeeping(t *testing.T, s *store.Store) {
	ctx, week := t.Context(), 7*24*time.Hour
	must(t, s.CreateCode(ctx, code()))
	must(t, begin(ctx, s))
	row := follows("", "row", noon())
	row.Named = false
	must(t, rotate(ctx, s, row))
	must(t, s.CreateLaunch(ctx, launch()))
	must(t, s.CreateSession(ctx, session()))
	must(t, s.PutPending(ctx, pending()))
	must(t, s.CreatePushed(ctx, pushed()))
	must(t, s.UseAssertion(ctx, tenant, "iss", "jti", noon()))
	must(t, s.RevokeToken(ctx, tenant, "t1", noon()))
	must(t, s.CreateGrant(ctx, grant("g1", noon())))
	must(t, s.InTx(ctx, func(tx store.Tx) error {
		for i := range 1100 {
			_, err := tx.CountFailure(ctx, tenant, "rosa", noon().Add(time.Duration(i)), time.Hour)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	keep := session()
	keep.Hash, keep.Ends = "h2", noon().AddDate(1, 0, 0)
	must(t, s.CreateSession(ctx, keep))

	// Nothing goes while a clock may be off by a little.
	equal(t, got(s.Housekeep(ctx, noon().Add(50*time.Minute)))(t), int64(0))
	// A guard outlives its assertion, so a clock that jumps cannot open it.
	fails(t, s.UseAssertion(ctx, tenant, "iss", "jti", noon()), errs.Conflict)

	equal(t, got(s.Housekeep(ctx, noon().Add(week)))(t), int64(6+2+1101))
	_, err := s.CodeByHash(ctx, tenant, "c1")
	fails(t, err, errs.NotFound)
	equal(t, got(s.TokenRevoked(ctx, tenant, "t1"))(t), false)
	equal(t, got(s.GrantByID(ctx, tenant, "g1"))(t), grant("g1", noon()))
	equal(t, got(s.SessionByHash(ctx, tenant, "h1"))(t), session())
	equal(t, got(s.Housekeep(ctx, noon().Add(20*week)))(t), int64(1+1))
	equal(t, []identity.Session{got(s.SessionByHash(ctx, tenant, "h2"))(t)}, []identity.Session{keep})
}
