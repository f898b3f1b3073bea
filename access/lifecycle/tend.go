package lifecycle

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// tendAtOnce bounds the cases of one look.
const tendAtOnce = 100

// Tend notes what time has done: accesses that have begun or ended (LC-09), and
// renewals to be asked for (LC-07). Nothing waits for it to be refused: the
// decision looks at the dates itself. Errors: errs.Unavailable.
func (s *Service) Tend(ctx context.Context) error {
	if err := s.warn(ctx); err != nil {
		return err
	}
	for {
		due, err := s.Read.CasesDue(ctx, s.Tenant, s.now(), tendAtOnce)
		if err != nil {
			return err
		}
		for _, c := range due {
			// Somebody who was faster has left nothing to do.
			if err := s.tend(ctx, c.ID); err != nil && !errs.Is(err, errs.PreconditionFailed) {
				return err
			}
		}
		if len(due) < tendAtOnce {
			return nil
		}
	}
}

func (s *Service) tend(ctx context.Context, id string) error {
	return s.Tx.InTx(ctx, func(tx Tx) error {
		c, err := tx.CaseByID(ctx, s.Tenant, id)
		if err != nil {
			return err
		}
		now, before := s.now(), len(c.Steps)
		if c.State == proxy.StateRequested {
			return s.tendRequest(ctx, tx, c, now)
		}
		state := c.At(now)
		if state == proxy.StateExpired {
			return s.expire(ctx, tx, c)
		}
		if c.State == proxy.StateConfirmed && state == proxy.StateActive {
			if c, err = c.Begin(now); err != nil {
				return err
			}
		}
		if c.State == proxy.StateActive && c.Ripe(now) {
			if err := s.ripen(ctx, tx, &c); err != nil {
				return err
			}
		}
		if c.State == proxy.StateActive && c.Turned(now) {
			if err := s.topical(ctx, tx, &c); err != nil {
				return err
			}
		}
		if days, due := c.Prompt(now); due {
			c.Prompted = days
			if err := s.prompt(ctx, tx, c); err != nil {
				return err
			}
		}
		if len(c.Steps) == before {
			at := c.Version
			c.Version, c.Due = at+1, c.NextDue(now)
			return tx.PutCase(ctx, c, at)
		}
		return s.put(ctx, tx, &c, s.clock())
	})
}

// prompt asks the patient for a renewal (LC-07), or warns the agent and the team
// that the review of a representative's access is near (LC-14). No answer ends it.
func (s *Service) prompt(ctx context.Context, tx Tx, c proxy.Case) error {
	if err := s.tell(ctx, tx, c, "proxy.ending"); err != nil {
		return err
	}
	if c.Basis == proxy.BasisDesignated || !c.Cosigned.Zero() {
		return s.tellPatient(ctx, tx, c, "proxy.renewal")
	}
	told := map[string]bool{}
	for _, who := range append([]proxy.Signed{c.Authority.Attested, c.Authority.Checked}, c.Determined...) {
		if told[who.By] {
			continue
		}
		told[who.By] = true
		if err := s.tellAccount(ctx, tx, who.By, "proxy.review"); err != nil {
			return err
		}
	}
	return nil
}

// expire ends an access whose end has come. A springing one goes back to sleep.
func (s *Service) expire(ctx context.Context, tx Tx, c proxy.Case) error {
	var err error
	if c.Basis == proxy.BasisRepresentative && c.Authority.Trigger == proxy.TriggerCapacity && c.Authority.Live(s.now()) {
		c, err = c.Lapse(s.now())
	} else {
		c, err = c.Expire(s.now())
	}
	if err != nil {
		return err
	}
	if err := s.sever(ctx, tx, &c, s.clock()); err != nil {
		return err
	}
	if err := s.doze(ctx, tx, &c, s.clock()); err != nil {
		return err
	}
	if err := s.tell(ctx, tx, c, "proxy.changed"); err != nil {
		return err
	}
	if err := s.tellPatient(ctx, tx, c, "proxy.ended"); err != nil {
		return err
	}
	return s.put(ctx, tx, &c, s.clock())
}
