package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/store"
)

// sealer gives a sealer whose clock stands at a moment.
func sealer(s *store.Store, now time.Time) *audit.Sealer {
	return audit.NewSealer(audit.SealerDeps{Ledger: s, Secrets: s, Clock: clock.Fixed(now)})
}

// verify gives what the verification of the tenant's log finds.
func verify(t *testing.T, s *store.Store, witnessed ...[]byte) *audit.Report {
	t.Helper()
	r, err := audit.VerifyTenant(t.Context(), s, tenant, noon().Add(time.Hour), witnessed...)
	must(t, err)
	return r
}

// faults writes findings down as "fault id" in order.
func faults(r *audit.Report) []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, strings.TrimSpace(string(f.Fault)+" "+f.ID))
	}
	slices.Sort(out)
	return out
}

// numbered gives n events, one a second from noon on.
func numbered(n int) []audit.Event {
	var out []audit.Event
	for i := range n {
		out = append(out, event(fmt.Sprintf("%032x", i), noon().Add(time.Duration(i)*time.Second)))
	}
	return out
}

// D8: what was written is sealed once, whatever its age, and verifies; a log
// of two tenants is two logs.
func sealing(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, got(s.LedgerHead(ctx, tenant))(t), audit.Head{})
	odd := event("an id of its own", noon())
	odd.Patient, odd.Capacity.Patient = "", ""
	must(t, s.AppendAudits(ctx, append(numbered(700), odd, audit.Event{ID: "bare", Tenant: tenant, Kind: audit.LoggedOut})))
	must(t, s.AppendAudit(ctx, audit.Event{ID: "bare", Tenant: other, Time: noon(), Kind: audit.LoggedOut}))
	equal(t, got(s.AuditTenants(ctx))(t), []string{other, tenant})

	minute := audit.Minute(noon())
	equal(t, got(s.AuditMinutes(ctx, tenant, minute, minute+2))(t), map[int64]int64{minute: 61, minute + 1: 60})
	stamps := got(s.AuditStamps(ctx, tenant, audit.Stamp{Time: noon(), ID: numbered(1)[0].ID}, noon().Add(time.Second)))(t)
	equal(t, stamps, []audit.Stamp{{Time: noon(), ID: odd.ID}, {Time: noon().Add(time.Second), ID: numbered(2)[1].ID}})

	// Before anything is sealed every old event is one too many.
	equal(t, verify(t, s).Faults, int64(702))
	now := noon().Add(time.Hour)
	first := sealer(s, now)
	equal(t, got(first.Pass(ctx))(t), 703)
	equal(t, got(first.Pass(ctx))(t), 0)
	r := verify(t, s)
	equal(t, []int64{r.Size, r.Intact, r.Faults, r.Pending}, []int64{702, 702, 0, 0})

	// Another node, started later, seals what came since and nothing twice:
	// in time, late by hours, dated far ahead, and once more in time.
	second := sealer(s, now)
	must(t, s.AppendAudit(ctx, event("in-time", now)))
	must(t, s.AppendAudit(ctx, event("late", noon().Add(-30*time.Hour))))
	must(t, s.AppendAudit(ctx, event("ahead", now.Add(24*time.Hour))))
	equal(t, got(second.Pass(ctx))(t), 3)
	must(t, s.AppendAudit(ctx, event("again", now)))
	equal(t, got(first.Pass(ctx))(t), 1)
	equal(t, got(second.Pass(ctx))(t), 0)
	equal(t, got(second.Sweep(ctx, time.Time{}))(t), 0)
	r = verify(t, s)
	equal(t, []int64{r.Size, r.Intact, r.Faults}, []int64{706, 706, 0})
	for _, st := range second.Status() {
		equal(t, []any{st.Lost, st.Oldest.IsZero()}, []any{int64(0), true})
	}

	// What was written before a stop is sealed on the way out, also when its
	// transaction was slow, or waits.
	must(t, s.AppendAudit(ctx, event("last", now.Add(time.Second))))
	must(t, s.AppendAudit(ctx, event("slow", now.Add(-10*time.Second))))
	equal(t, []int64{verify(t, s).Pending, verify(t, s).Faults}, []int64{2, 0})
	must(t, sealer(s, now).Finish(ctx))
	equal(t, verify(t, s).Pending, int64(2))
	must(t, second.Finish(ctx))
	equal(t, verify(t, s).Pending, int64(0))

	// The sweep finds what was committed behind the passes.
	must(t, s.AppendAudit(ctx, event("behind", now.Add(-10*time.Minute))))
	equal(t, got(second.Pass(ctx))(t), 0)
	equal(t, got(second.Sweep(ctx, now.Add(-time.Hour)))(t), 1)
	equal(t, verify(t, s).OK(), true)
	backdated(t, first, second)
}

// What came long after its time is counted; what was written while nobody
// sealed is not.
func backdated(t *testing.T, first, second *audit.Sealer) {
	t.Helper()
	late := func(one *audit.Sealer) (out []int64) {
		for _, st := range one.Status() {
			if st.Tenant == tenant {
				out = append(out, st.Late, st.Backdated)
			}
		}
		return out
	}
	equal(t, late(first), []int64{0, 0})
	equal(t, late(second), []int64{2, 2})
}

// Two nodes that seal at once never seal an event twice nor lose one, while
// writers go on.
func sealingRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const writers, each = 8, 40
	now := noon()
	sealers := []*audit.Sealer{sealer(s, now), sealer(s, now)}
	race(t, writers+len(sealers), "", func(i int) (bool, error) {
		if i < len(sealers) {
			for range 20 {
				if _, err := sealers[i].Pass(ctx); err != nil {
					return false, err
				}
			}
			return true, nil
		}
		for range each {
			if err := s.AppendAudit(ctx, event(ids.Source{}.ID(), now)); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	for range 3 {
		for _, one := range sealers {
			_, err := one.Pass(ctx)
			must(t, err)
		}
	}
	r := verify(t, s)
	equal(t, []int64{r.Size, r.Intact, r.Faults}, []int64{writers * each, writers * each, 0})
}

// A growth from a size that the tree no longer has writes nothing.
func ledgerGuard(t *testing.T, s *store.Store) {
	ctx := t.Context()
	grow := func(from, to int64) (bool, error) {
		var leaves []audit.Leaf
		for seq := from; seq < to; seq++ {
			leaves = append(leaves, audit.Leaf{Seq: seq, ID: fmt.Sprint("e", seq), Hash: audit.Hash{1, byte(seq)}})
		}
		return s.ExtendLedger(ctx, audit.Extension{Tenant: tenant, From: from, To: to, Sealed: noon(), Checkpoint: []byte("signed"), Keep: true,
			Batches: []audit.Batch{{Leaves: leaves, From: noon(), To: noon().Add(time.Second)}},
			Nodes:   []audit.Node{{Level: 8, N: from, Hash: audit.Hash{2}}}, Minutes: map[int64]int64{7: to - from}})
	}
	equal(t, race(t, 8, "", func(int) (bool, error) { return grow(0, 3) }), 1)
	equal(t, got(grow(0, 2))(t), false)
	equal(t, race(t, 8, "", func(int) (bool, error) { return grow(3, 5) }), 1)
	equal(t, got(grow(3, 9))(t), false)
	equal(t, got(s.LedgerHead(ctx, tenant))(t), audit.Head{Size: 5, Sealed: noon(), Checkpoint: []byte("signed")})
	equal(t, got(s.LedgerMinutes(ctx, tenant, 0, 8))(t), map[int64]int64{7: 5})
	equal(t, got(s.LedgerMinutes(ctx, tenant, 8, 9))(t), map[int64]int64{})
	equal(t, len(got(s.LedgerCheckpoints(ctx, tenant))(t)), 2)
	batches := got(s.LedgerBatches(ctx, tenant, 3, 256))(t)
	equal(t, batches[0].Leaves, []audit.Leaf{{Seq: 3, ID: "e3", Hash: audit.Hash{1, 3}}, {Seq: 4, ID: "e4", Hash: audit.Hash{1, 4}}})
	equal(t, len(got(s.LedgerBatchesAt(ctx, tenant, noon().Add(time.Second), noon().Add(time.Hour)))(t)), 2)
	equal(t, len(got(s.LedgerBatchesAt(ctx, tenant, noon().Add(-time.Hour), noon()))(t)), 0)
	equal(t, got(s.LedgerNodes(ctx, tenant, 8, 1, 9))(t), []audit.Node{{Level: 8, N: 3, Hash: audit.Hash{2}}})
	equal(t, len(got(s.LedgerBatches(ctx, other, 0, 256))(t)), 0)
	// A failure inside leaves the tree as it was.
	err := s.InTx(ctx, func(tx store.Tx) error {
		_, err := tx.ExtendLedger(ctx, audit.Extension{Tenant: tenant, From: 5, To: 6, Sealed: noon(), Checkpoint: []byte("x")})
		must(t, err)
		return errs.New(errs.Forbidden, "no", "")
	})
	fails(t, err, errs.Forbidden)
	equal(t, got(s.LedgerHead(ctx, tenant))(t).Size, int64(5))
}
