package consent

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
)

// Lapses gives the earliest instant at which a prohibition, or a denial in it, ends by
// itself; zero when nothing of it does.
func (c *Consent) Lapses() time.Time {
	if c.Kind != KindProhibition || !inForce(c.Status) {
		return time.Time{}
	}
	end := c.Root.Period.End
	for _, n := range c.Root.Nested {
		if n.Type == "deny" {
			end = earlier(end, n.Period.End)
		}
	}
	return end
}

// watch writes the Task of a prohibition that others file with an end: it would lapse
// without a word, so that somebody is to look at it before (TR-27). What Mandate
// writes itself has none.
func (s *Service) watch(ctx context.Context, tx evidence.Keeper, rec Record, origin audit.Event) error {
	c, err := ParseIn(rec.JSON, s.deps.Options.Zone)
	if err != nil {
		return err
	}
	end := c.Lapses()
	if end.IsZero() || rec.Patient == "" {
		return nil
	}
	task, err := evidence.Lapse{
		ID: s.deps.IDs.ID(), Patient: rec.Patient, Consent: fhir.Reference{Type: "Consent", ID: rec.ID}, At: rec.Updated, Ends: end,
		By: evidence.Party{Resource: origin.Capacity.Acting, Account: origin.PersonID, Client: origin.ClientID},
	}.Task()
	if err != nil {
		return err
	}
	task.Tenant = rec.Tenant
	if task, err = task.Next(0, rec.Updated); err != nil {
		return err
	}
	return tx.PutEvidence(ctx, task, 0)
}
