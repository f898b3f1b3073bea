package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// watermarkCommand traces copies.
type watermarkCommand struct {
	Lookup watermarkLookup `cmd:"" help:"Tell from the number on a copy who took it, of whose record, when and from where."`
}

type watermarkLookup struct {
	auditStore
	As     string `help:"Your account name, for the audit log; an operator of the role auditor is needed where there are operators." placeholder:"NAME"`
	JSON   bool   `name:"json" help:"Print the event as JSON."`
	Number string `arg:"" help:"The number at the foot of the copy; spaces and dashes do not count."`
}

// Run prints the event of the copy. Who looked is told to the log.
func (c *watermarkLookup) Run(s *streams) error {
	id := strings.ToLower(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, c.Number))
	return c.with(s, func(ctx context.Context, l openedLog) error {
		who, err := l.require(c.As, "watermark lookup")
		if err != nil {
			return err
		}
		stored, err := l.store.StoredAudits(ctx, l.tenant, []string{id})
		if err != nil {
			return err
		}
		if len(stored) != 1 || stored[0].Event.Kind != audit.RecordCopied {
			return errs.New(errs.NotFound, "watermark-unknown", "No copy bears this number.")
		}
		e := stored[0].Event
		looked := audit.Event{
			Tenant: l.tenant, Time: l.clock.Now(), Kind: audit.AuditRead, Action: "R", Outcome: audit.Success, Patient: e.Patient,
			Detail: map[string]string{"event": e.ID, "operator": who},
		}
		if err := l.store.AppendAudits(ctx, []audit.Event{looked}); err != nil {
			return err
		}
		if c.JSON {
			return printJSON(s, e)
		}
		name := e.PersonID
		if p, err := l.store.PersonByID(ctx, l.tenant, e.PersonID); err == nil {
			name = fmt.Sprintf("%s (account %s)", p.Name, p.Username)
		}
		fmt.Fprintf(s.out, "event    AuditEvent/%s\ntaken by %s, as %s\nrecord   Patient/%s: %s, %d entries, %s\nat       %s, from %s\nrequest  %s\n",
			e.ID, name, e.Capacity.Kind, e.Patient, e.Detail["kind"], e.Count, e.Detail["act"], e.Time.Format(time.RFC3339), e.Network, e.RequestID)
		return nil
	})
}
