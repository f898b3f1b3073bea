package storetest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/store"
)

// figure reads one value of the store's metrics.
func figure(t *testing.T, s *store.Store, name, label string) float64 {
	t.Helper()
	for _, g := range s.Gauges() {
		if g.Name == name {
			return got(g.Read(t.Context()))(t)[label]
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// finding asks one question of the doctor.
func finding(t *testing.T, s *store.Store, id string) health.Result {
	t.Helper()
	for _, c := range s.Checks() {
		if c.ID == id {
			return health.Run(t.Context(), []health.Check{c})[0]
		}
	}
	t.Fatalf("there is no check %s", id)
	return health.Result{}
}

// Who waits for a connection is counted, and how long it took.
func waiting(t *testing.T, s *store.Store) {
	size := int(figure(t, s, "mandate_store_connections", ""))
	if size < 1 {
		t.Fatalf("%d connections", size)
	}
	release := make(chan struct{})
	var all sync.WaitGroup
	for range size + 1 {
		all.Go(func() {
			err := s.InTx(context.Background(), func(tx store.Tx) error {
				_, _, err := tx.CountJobs(context.Background(), "mail")
				<-release
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	until(t, func() bool { return figure(t, s, "mandate_store_waiting", "") >= 1 })
	if figure(t, s, "mandate_store_connections_busy", "") < 1 {
		t.Error("no connection is in use")
	}
	close(release)
	all.Wait()
	if figure(t, s, "mandate_store_waiting", "") != 0 || figure(t, s, "mandate_store_waits_total", "") < 1 || figure(t, s, "mandate_store_wait_seconds_total", "") <= 0 {
		t.Error("the waits were not counted")
	}
}

// until waits for something that other goroutines bring about.
func until(t *testing.T, ready func() bool) {
	t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.NewTimer(8*time.Second)
	defer tick.Stop()
	defer late.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatal("it does not come about")
		}
	}
}

// A job that nobody does is told, one that rests is not, and where no server
// runs nothing is expected.
func leaseFigures(t *testing.T, s *store.Store) {
	ctx := t.Context()
	long := -time.Hour
	for _, name := range []string{"held", "resting", "left", "killed"} {
		equal(t, got(s.TakeLease(ctx, name, "a", future))(t), int64(1))
	}
	must(t, s.ReleaseLease(ctx, "resting", 1, future))
	must(t, s.ReleaseLease(ctx, "left", 1, long))
	equal(t, got(s.RenewLease(ctx, "killed", 1, long))(t), true)
	for name, late := range map[string]bool{"held": false, "resting": false, "left": true, "killed": true} {
		if overdue := figure(t, s, "mandate_lease_overdue_seconds", name); (overdue >= 3600) != late || !late && overdue != 0 {
			t.Errorf("%s is overdue for %v s", name, overdue)
		}
		if held := figure(t, s, "mandate_lease_held", name); (held == 1) != (name == "held") {
			t.Errorf("%s is held: %v", name, held)
		}
	}
	if f := finding(t, s, "store-leases"); f.Severity != health.Warning || !strings.Contains(f.Finding, "2 have been due") {
		t.Errorf("%+v", f)
	}
	must(t, s.ReleaseLease(ctx, "held", 1, long))
	if f := finding(t, s, "store-leases"); f.Severity != health.Noted {
		t.Errorf("%+v", f)
	}
}

// An event that waits to be sealed for long is told.
func sealFigures(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := clock.System{}.Now()
	lag := func(wait time.Duration) {
		t.Helper()
		if got := time.Duration(figure(t, s, "mandate_audit_seal_lag_seconds", "")) * time.Second; (got - wait).Abs() > time.Minute {
			t.Errorf("the lag is %s, not %s", got, wait)
		}
	}
	equal(t, got(s.ExtendLedger(ctx, audit.Extension{Tenant: tenant, To: 1, Sealed: now.Add(-time.Hour), Checkpoint: []byte("x")}))(t), true)
	must(t, s.AppendAudit(ctx, event("sealed", now.Add(-2*time.Hour))))
	lag(0)
	equal(t, finding(t, s, "audit-seal-lag").Severity, health.Fine)
	must(t, s.AppendAudit(ctx, event("late", now.Add(-20*time.Minute))))
	lag(20 * time.Minute)
	must(t, s.AppendAudit(ctx, event("", now.Add(-30*time.Minute))))
	lag(30 * time.Minute)
	equal(t, finding(t, s, "audit-seal-lag").Severity, health.Warning)
}
