package postgres_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/export"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/testpg"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/postgres"
)

// Reports come from the replica and say how old they are; they go on while the
// primary is away, and come from the primary while the replica is.
//
// long: one story, told in order, about one pair of servers.
func TestReports(t *testing.T) {
	primary := testpg.New(t)
	replica, err := primary.Replica()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := replica.Close(); err != nil {
			t.Error(err)
		}
	})
	s := open(t, postgres.Options{DSN: primary.URL()})
	copied, err := postgres.Open(t.Context(), postgres.Options{DSN: replica.URL(), Replica: true, Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	r := store.NewReports(s, copied)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.AppendAudit(t.Context(), audit.Event{Tenant: "main", ID: "e1", Kind: audit.LoggedOut}); err != nil {
		t.Fatal(err)
	}
	events := func() int {
		t.Helper()
		all, err := r.Audits(t.Context(), audit.Filter{Tenant: "main"})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	written, err := s.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What AsOf promises holds: once it is past the write, the write is there.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for at := (time.Time{}); at.Before(written); {
		if err := s.AppendAudit(ctx, audit.Event{Tenant: "other", Kind: audit.LoggedOut}); err != nil {
			t.Fatal(err)
		}
		if at, err = r.AsOf(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if events() != 1 {
		t.Error("the report lacks what AsOf promised")
	}
	// An export reads the whole log there; what was written a moment ago is
	// found by its id all the same.
	if err := s.AppendAudit(ctx, audit.Event{Tenant: "main", ID: "young", Kind: audit.LoggedOut}); err != nil {
		t.Fatal(err)
	}
	if found, err := r.StoredAudits(ctx, "main", []string{"e1", "young"}); err != nil || len(found) != 2 {
		t.Error(found, err)
	}
	if _, err := audit.NewSealer(audit.SealerDeps{Ledger: s, Secrets: s, Clock: clock.System{}}).Pass(ctx); err != nil {
		t.Fatal(err)
	}
	exports(t, s, r)
	if err := primary.Stop(); err != nil {
		t.Fatal(err)
	}
	if events() != 2 {
		t.Error("without the primary the report is empty")
	}
	if err := primary.Launch(); err != nil {
		t.Fatal(err)
	}
	if err := replica.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendAudit(t.Context(), audit.Event{Tenant: "main", ID: "e2", Kind: audit.LoggedOut}); err != nil {
		t.Fatal(err)
	}
	exports(t, s, r)
	if events() != 3 {
		t.Error("without the replica the report is not read from the primary")
	}
	at, err := r.AsOf(t.Context())
	if err != nil || at.Before(written) {
		t.Error(at, err)
	}
	// A replica that only one host of many is, may be read.
	if _, err := postgres.Open(t.Context(), postgres.Options{DSN: primary.URL(replica.Address, primary.Address), Replica: true}); err != nil {
		t.Error(err)
	}
}

// exports writes the log as an export does, whichever server is away.
func exports(t *testing.T, s *store.Store, r *store.Reports) {
	t.Helper()
	keys, err := audit.OpenLogKeys(t.Context(), s, ids.Source{}, "main")
	if err != nil {
		t.Fatal(err)
	}
	l, at, err := r.Ledger(t.Context())
	if err != nil || at.IsZero() {
		t.Fatal(at, err)
	}
	var out bytes.Buffer
	if err := export.NDJSON(t.Context(), &out, audit.NewLedgerSource(l, keys), export.Head{}); err != nil || !bytes.Contains(out.Bytes(), []byte(`"id":"e1"`)) {
		t.Errorf("%v: %s", err, out.String())
	}
}
