package export

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/internal/errs"
)

// Reader is what Events reads; audit.Ledger has it.
type Reader interface {
	AuditStamps(ctx context.Context, tenant string, after audit.Stamp, until time.Time) ([]audit.Stamp, error)
	StoredAudits(ctx context.Context, tenant string, ids []string) ([]audit.Stored, error)
}

// Events calls each for every event of the span, oldest first. Errors:
// errs.Unavailable and those of each.
func Events(ctx context.Context, r Reader, tenant string, span Span, each func(audit.Stored) error) error {
	if span.Until.IsZero() {
		span.Until = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if span.Since.IsZero() {
		span.Since = time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)
	}
	after := audit.Stamp{Time: span.Since.Add(-time.Microsecond), ID: "~"}
	for {
		page, err := r.AuditStamps(ctx, tenant, after, span.Until)
		if err != nil {
			return err
		}
		for chunk := range slices.Chunk(page, 256) {
			if err := chunkOf(ctx, r, tenant, chunk, each); err != nil {
				return err
			}
		}
		if len(page) < audit.MaxStamps {
			return nil
		}
		after = page[len(page)-1]
	}
}

func chunkOf(ctx context.Context, r Reader, tenant string, chunk []audit.Stamp, each func(audit.Stored) error) error {
	names := make([]string, len(chunk))
	for i, s := range chunk {
		names[i] = s.ID
	}
	all, err := r.StoredAudits(ctx, tenant, names)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b audit.Stored) int {
		return slices.Index(names, a.Event.ID) - slices.Index(names, b.Event.ID)
	})
	for _, s := range all {
		if err := each(s); err != nil {
			return err
		}
	}
	return nil
}

// FHIR writes the events of a span as one AuditEvent a line. Errors:
// errs.Unavailable and those of w.
func FHIR(ctx context.Context, w io.Writer, r Reader, o FHIROptions) error {
	return Events(ctx, r, o.Tenant, o.Span, func(s audit.Stored) error {
		raw, err := fhirevent.Map(s.Event, o.Names)
		if errs.As(err) != nil && errs.As(err).Code == "audit-time-missing" {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = w.Write(append(raw, '\n'))
		return err
	})
}

// FHIROptions say what FHIR writes.
type FHIROptions struct {
	Tenant string
	Span   Span
	Names  fhirevent.Names
}
