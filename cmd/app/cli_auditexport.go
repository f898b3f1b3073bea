package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/export"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	tenants "github.com/mandate-health/mandate/internal/tenant"
)

type auditExport struct {
	auditStore
	asFlag
	Format       string `default:"ndjson" enum:"ndjson,fhir,syslog" help:"ndjson (can be verified), fhir (AuditEvents, one a line) or syslog (RFC 5424, one a line)."`
	Since        string `help:"Only events from this date or RFC 3339 time on." placeholder:"TIME"`
	Until        string `help:"Only events up to this date or RFC 3339 time." placeholder:"TIME"`
	PublicURL    string `name:"public-url" help:"Issuer URL that fhir and syslog name." placeholder:"URL" env:"MANDATE_PUBLIC_URL"`
	Reports      string `name:"database-reports" help:"PostgreSQL URL of a read replica to export from; the primary answers while it is away or more than five minutes behind." placeholder:"URL"`
	Organization string `name:"organization-ref" help:"Custodian that fhir names." placeholder:"Organization/ID" env:"MANDATE_ORGANIZATION_REF"`
}

// Run writes the log. That it was exported is recorded before the first byte
// leaves (AU-20).
func (c *auditExport) Run(s *streams) error {
	span, err := c.span()
	if err != nil {
		return err
	}
	if c.Format != "ndjson" && c.PublicURL == "" {
		return fmt.Errorf("--public-url is needed for --format %s: events name the server by it", c.Format)
	}
	return c.storeFlags.withConfig(s, c.replica, func(a *App) error {
		l, err := openLog(s, a, c.Tenant)
		if err != nil {
			return err
		}
		return c.export(s, l, span)
	})
}

// replica lets the flag win over the configuration file.
func (c *auditExport) replica(cfg *Config) {
	if c.Reports != "" {
		cfg.DatabaseReports = c.Reports
	}
}

func (c *auditExport) export(s *streams, l openedLog, span export.Span) error {
	ctx := s.ctx
	reports, err := openReports(ctx, l.cfg, l.store)
	if err != nil {
		return err
	}
	defer closing(ctx, reports, l.log)
	by, err := l.require(c.As, "audit export")
	if err != nil {
		return err
	}
	if err := c.record(s, l, by); err != nil {
		return err
	}
	from, at, err := reports.Ledger(ctx)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(s.out, 1<<20)
	if err := errors.Join(c.write(ctx, w, exported{l, from}, span), w.Flush()); err != nil {
		return err
	}
	fmt.Fprintf(s.err, "mandate: complete up to %s\n", at.UTC().Format(time.RFC3339Nano))
	return nil
}

// record notes the export in the log, or, where that has ended with its tenant,
// in that of the default one.
func (c *auditExport) record(s *streams, l openedLog, by string) error {
	e := audit.Event{
		Tenant: l.tenant, Time: l.clock.Now(), Kind: audit.AuditExported, Action: "R", Outcome: audit.Success, Reason: "command-line", PersonID: by,
		Query: url.Values{"format": {c.Format}, "since": {c.Since}, "until": {c.Until}}.Encode(),
	}
	err := l.store.AppendAudit(s.ctx, e)
	if errs.Is(err, errs.Gone) {
		e.Tenant, e.Detail = tenants.Default, map[string]string{"tenant": l.tenant}
		if err = l.store.AppendAudit(s.ctx, e); errs.Is(err, errs.Gone) {
			fmt.Fprintln(s.err, "mandate: this export is recorded nowhere: the tenant was erased with the keys of its log, and so was the default one")
			return nil
		}
	}
	return err
}

// exported is a log and what it is read from, a replica perhaps.
type exported struct {
	openedLog
	from audit.SourceStore
}

func (c *auditExport) write(ctx context.Context, w io.Writer, l exported, span export.Span) error {
	if c.Format == "ndjson" {
		head := export.Head{VerifierKey: l.keys.VerifierKey, Now: l.clock.Now(), Span: span}
		return export.NDJSON(ctx, w, audit.NewLedgerSource(l.from, l.keys), head)
	}
	custodian, _ := fhir.ParseReference(c.Organization)
	names := namesOf(c.PublicURL, custodian)
	if c.Format == "syslog" {
		return export.Events(ctx, l.from, l.tenant, span, func(e audit.Stored) error {
			_, err := fmt.Fprintf(w, "%s\n", export.Message(e.Event, names))
			return err
		})
	}
	return export.FHIR(ctx, w, l.from, export.FHIROptions{Tenant: l.tenant, Span: span, Names: names})
}

func (c *auditExport) span() (span export.Span, err error) {
	if span.Since, err = readMoment(c.Since, false); err != nil {
		return span, fmt.Errorf("--since: %w", err)
	}
	if span.Until, err = readMoment(c.Until, true); err != nil {
		return span, fmt.Errorf("--until: %w", err)
	}
	return span, nil
}

// readMoment reads a date or a time; of a date that ends something the last
// moment counts.
func readMoment(text string, end bool) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		if end {
			day = day.AddDate(0, 0, 1).Add(-time.Microsecond)
		}
		return day, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%q is neither a date such as 2026-11-22 nor a time such as 2026-11-22T12:00:00Z", text)
	}
	return t.UTC(), nil
}

// namesOf says how AuditEvents call the server at a URL.
func namesOf(issuer string, custodian fhir.Reference) fhirevent.Names {
	n := fhirevent.Names{Issuer: issuer, FHIRBase: issuer + fhirPath, Custodian: custodian}
	if u, err := url.Parse(issuer); err == nil {
		n.Site = u.Hostname()
	}
	return n
}
