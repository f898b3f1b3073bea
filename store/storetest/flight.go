package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/store"
)

// flights: each client has its own records, newest first; cleaning leaves the
// newest of each, and none for long.
func flights(t *testing.T, s *store.Store) {
	ctx := t.Context()
	record := func(tenant, client string, n int) flight.Record {
		return flight.Record{Tenant: tenant, ClientID: client, RequestID: "r", At: noon().Add(time.Duration(n) * time.Second), Act: "token.refused",
			Outcome: flight.Refused, Cause: "scope-unknown", Explained: []flight.Explanation{{Scope: "x", Cause: "scope-unknown"}}}
	}
	var all []flight.Record
	for n := range 230 {
		all = append(all, record(tenant, "busy", n))
	}
	all = append(all, record(tenant, "quiet", 1), record(other, "busy", 1))
	must(t, s.AddRecords(ctx, all))
	must(t, s.AddRecords(ctx, nil))
	newest := got(s.Records(ctx, tenant, "busy", 3))(t)
	equal(t, newest, []flight.Record{record(tenant, "busy", 229), record(tenant, "busy", 228), record(tenant, "busy", 227)})
	equal(t, len(got(s.Records(ctx, tenant, "quiet", 10))(t)), 1)
	equal(t, len(got(s.Records(ctx, tenant, "nobody", 10))(t)), 0)

	got(s.Housekeep(ctx, noon().Add(time.Hour)))(t)
	left := got(s.Records(ctx, tenant, "busy", 1000))(t)
	equal(t, len(left), 200)
	equal(t, left[199], record(tenant, "busy", 30))
	equal(t, len(got(s.Records(ctx, other, "busy", 10))(t)), 1)
	got(s.Housekeep(ctx, noon().AddDate(0, 0, 15)))(t)
	equal(t, len(got(s.Records(ctx, tenant, "quiet", 10))(t)), 0)
}
