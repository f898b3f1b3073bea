package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/store"
)

// What the sealer asks of the store: which events there are, in order and page
// by page, how many in each minute, and what of them can still be read.
func ledgerReads(t *testing.T, s *store.Store) {
	ctx := t.Context()
	all := numbered(70)
	must(t, s.AppendAudits(ctx, all))
	first := audit.Minute(noon())
	equal(t, got(s.AuditMinutes(ctx, tenant, first, first+2))(t), map[int64]int64{first: 60, first + 1: 10})
	equal(t, got(s.AuditMinutes(ctx, tenant, first+1, first+2))(t), map[int64]int64{first + 1: 10})

	from := audit.Stamp{Time: noon().Add(58 * time.Second), ID: all[58].ID}
	equal(t, got(s.AuditStamps(ctx, tenant, from, noon().Add(time.Minute)))(t),
		[]audit.Stamp{{Time: all[59].Time, ID: all[59].ID}, {Time: all[60].Time, ID: all[60].ID}})

	stored := got(s.StoredAudits(ctx, tenant, []string{all[3].ID, "unknown"}))(t)
	equal(t, len(stored), 1)
	equal(t, []any{stored[0].Event.ID, stored[0].State}, []any{all[3].ID, audit.Whole})
	equal(t, len(got(s.StoredAudits(ctx, other, []string{all[3].ID}))(t)), 0)
}

// A clock that is set while the server runs leaves events where no pass looks:
// they are sealed at the next tick, or on the way out.
func sealingJump(t *testing.T, s *store.Store) {
	ctx := t.Context()
	clk := &clock.Movable{}
	clk.Set(noon())
	one := audit.NewSealer(audit.SealerDeps{Ledger: s, Secrets: s, Clock: clk})
	must(t, s.AppendAudit(ctx, event("before", clk.Now())))
	must(t, one.Tick(ctx))
	sealed := func(want ...string) {
		t.Helper()
		var have []string
		for _, b := range got(s.LedgerBatches(ctx, tenant, 0, 10))(t) {
			for _, leaf := range b.Leaves {
				have = append(have, leaf.ID)
			}
		}
		equal(t, have, want)
	}
	sealed("before")

	must(t, s.AppendAudit(ctx, event("a-month-on", clk.Advance(30*24*time.Hour))))
	clk.Advance(24 * time.Hour)
	must(t, one.Tick(ctx))
	sealed("before", "a-month-on")

	must(t, s.AppendAudit(ctx, event("a-year-on", clk.Advance(365*24*time.Hour))))
	clk.Set(noon())
	must(t, one.Finish(ctx))
	sealed("before", "a-month-on", "a-year-on")
}
