package audit_test

import (
	"context"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// shelfLog is a store that remembers the last filter.
type shelfLog struct {
	audit.Store
	events []audit.Event
	asked  audit.Filter
	down   bool
}

func (s *shelfLog) Audits(_ context.Context, f audit.Filter) ([]audit.Event, error) {
	if s.asked = f; s.down {
		return nil, errs.New(errs.Unavailable, "store-down", "down")
	}
	return s.events, nil
}

type recorder struct {
	events []audit.Event
	full   bool
}

func (r *recorder) Record(_ context.Context, e audit.Event) error {
	if r.full {
		return errs.New(errs.Unavailable, "audit-queue-full", "full")
	}
	r.events = append(r.events, e)
	return nil
}

// AU-20: reading the log is recorded, or nothing is given.
func TestReadingTheLogIsRecorded(t *testing.T) {
	store := &shelfLog{events: []audit.Event{{ID: "a"}, {ID: "b"}}}
	rec := &recorder{}
	log := audit.Log{Store: store, Recorder: rec}
	by := audit.Event{Tenant: "default", PersonID: "p-rosa", Network: "203.0.113.7", RequestID: "req-1"}
	f := audit.Filter{Tenant: "other", Patient: "rosa", Kinds: []audit.Kind{audit.FHIRRead, audit.FHIRSearch},
		Since: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Limit: 50}
	got, err := log.Read(t.Context(), f, by)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	if store.asked.Tenant != "default" {
		t.Error("the log of another tenant was read")
	}
	e := rec.events[0]
	if e.Kind != audit.AuditRead || e.Action != "R" || e.PersonID != "p-rosa" || e.Patient != "rosa" || e.Count != 2 {
		t.Errorf("%+v", e)
	}
	if want := "kind=fhir.read%2Cfhir.search&limit=50&patient=rosa&since=2026-11-01T00%3A00%3A00Z"; e.Query != want {
		t.Errorf("query %s", e.Query)
	}
	rec.full = true
	if got, err := log.Read(t.Context(), f, by); !errs.Is(err, errs.Unavailable) || got != nil {
		t.Errorf("given without a record: %v, %v", got, err)
	}
	store.down = true
	if got, err := log.Read(t.Context(), f, by); !errs.Is(err, errs.Unavailable) || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}
