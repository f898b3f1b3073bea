package lifecycle

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/proxy"
)

// running are the states that open something or could at once.
func running() []proxy.State {
	return []proxy.State{proxy.StateConfirmed, proxy.StateActive, proxy.StateSuspended, proxy.StateBereaved}
}

// merge makes the people of one record those of another (LC-27). Who was shut out
// of either stays shut out of what is one now; every access rests until a member of
// staff has looked, with no more than both records gave where both gave something.
// What apps held ends.
func (s *Service) merge(ctx context.Context, tx Tx, target, source string, a Actor) (int, error) {
	going, err := tx.CasesOfPatient(ctx, s.Tenant, source)
	if err != nil {
		return 0, err
	}
	staying, err := tx.CasesOfPatient(ctx, s.Tenant, target)
	if err != nil {
		return 0, err
	}
	n, met := 0, map[string]*proxy.Case{}
	var carried []proxy.Case
	moved, err := s.each(ctx, tx, going, a, func(c *proxy.Case) error {
		state := c.At(s.now())
		if state == proxy.StateBlocked {
			carried = append(carried, c.Carry(s.IDs.ID(), target, s.signed(a)))
			return nil
		}
		if state.Over() || c.Why() == proxy.MergedAway {
			return nil
		}
		return s.away(ctx, tx, c, staying, met, &carried, target, a)
	})
	if err != nil {
		return 0, err
	}
	n += moved
	died := slices.ContainsFunc(going, proxy.Case.DeathNoted)
	moved, err = s.each(ctx, tx, staying, a, func(c *proxy.Case) error { return s.stay(ctx, tx, c, met[c.ID], died, a) })
	if err != nil {
		return 0, err
	}
	for _, c := range carried {
		if err := s.carry(ctx, tx, &c, a); err != nil {
			return 0, err
		}
	}
	return n + moved + len(carried), s.tellPatient(ctx, tx, proxy.Case{Patient: target}, "proxy.changed")
}

// stay lets an access to the record that stays rest. other is what the same person
// had to the record that went, if anything; died says that a death was noted there,
// which then holds here too.
func (s *Service) stay(ctx context.Context, tx Tx, c, other *proxy.Case, died bool, a Actor) error {
	if why := c.Why(); !in(c.At(s.now()), running()) || why == proxy.PatientMerged || why == proxy.MergedAway {
		return nil
	}
	next := *c
	var err error
	if died && in(c.At(s.now()), []proxy.State{proxy.StateConfirmed, proxy.StateActive}) {
		if next, err = c.Die(s.signed(a)); err != nil {
			return err
		}
	}
	id := ""
	if other != nil {
		id = other.ID
	}
	if next, err = next.Merge(proxy.PatientMerged, id, s.signed(a)); err != nil {
		return err
	}
	if other != nil {
		next = next.Meet(other.Terms)
	}
	*c = next
	return s.sever(ctx, tx, c, a)
}

// away takes one access out of the record that goes.
func (s *Service) away(ctx context.Context, tx Tx, c *proxy.Case, staying []proxy.Case, met map[string]*proxy.Case, carried *[]proxy.Case, target string, a Actor) error {
	before := *c
	switch c.State {
	case proxy.StateInvited:
		next, err := c.Revoke(s.signed(a), proxy.MergedAway)
		*c = next
		return err
	case proxy.StateRequested:
		next, err := c.Refuse(s.signed(a))
		*c = next
		return err
	}
	twin := ""
	for _, o := range staying {
		if o.PersonID == c.PersonID && in(o.At(s.now()), running()) {
			twin = o.ID
			met[o.ID] = &before
		}
	}
	next, err := c.Merge(proxy.MergedAway, twin, s.signed(a))
	if err != nil {
		return err
	}
	*c = next
	if twin == "" {
		one := before.Carry(s.IDs.ID(), target, s.signed(a))
		c.MergedWith = one.ID
		*carried = append(*carried, one)
	}
	return s.sever(ctx, tx, c, a)
}

// carry stores the case of somebody who had a way to the record that went.
func (s *Service) carry(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	if c.State == proxy.StateBlocked {
		if err := s.bar(ctx, tx, c, a); err != nil {
			return err
		}
		return s.put(ctx, tx, c, a)
	}
	if err := s.relate(ctx, tx, c, a, false); err != nil {
		return err
	}
	if err := s.stillBarred(ctx, tx, *c, a); err != nil {
		return err
	}
	if err := s.link(ctx, tx, *c, c.Proofed(), a); err != nil {
		return err
	}
	if err := s.doze(ctx, tx, c, a); err != nil {
		return err
	}
	return s.put(ctx, tx, c, a)
}

// unmerge takes a merge back: what came by it ends, and what rested because of it is
// as it was.
func (s *Service) unmerge(ctx context.Context, tx Tx, target, source string, a Actor) (int, error) {
	going, err := tx.CasesOfPatient(ctx, s.Tenant, source)
	if err != nil {
		return 0, err
	}
	staying, err := tx.CasesOfPatient(ctx, s.Tenant, target)
	if err != nil {
		return 0, err
	}
	from := map[string]bool{}
	for _, c := range going {
		from[c.ID] = true
	}
	ended, err := s.each(ctx, tx, staying, a, func(c *proxy.Case) error {
		switch {
		case c.Carried() && from[c.MergedWith] && c.State == proxy.StateBlocked:
			return s.unbar(ctx, tx, c, a)
		case c.Carried() && from[c.MergedWith] && !c.At(s.now()).Over():
			next, err := c.Revoke(s.signed(a), "unmerged")
			if err != nil {
				return err
			}
			*c = next
			return s.sever(ctx, tx, c, a)
		case c.Why() == proxy.PatientMerged:
			return s.back(ctx, tx, c, a)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	again, err := s.each(ctx, tx, going, a, func(c *proxy.Case) error {
		if c.Why() != proxy.MergedAway || c.State != proxy.StateSuspended {
			return nil
		}
		return s.back(ctx, tx, c, a)
	})
	return ended + again, err
}

// back puts an access as it was before a merge. Apps must be let in anew.
func (s *Service) back(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	next, err := c.Unmerge(s.signed(a))
	if err != nil {
		return err
	}
	*c = next
	if at := c.At(s.now()); at != proxy.StateActive && at != proxy.StateConfirmed && at != proxy.StateBereaved {
		return s.doze(ctx, tx, c, a)
	}
	return s.open(ctx, tx, c, a, "proxy.changed")
}

// unbar withdraws the prohibition that came by a merge.
func (s *Service) unbar(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	next, err := c.Unblock(s.signed(a))
	if err != nil {
		return err
	}
	*c = next
	for _, barred := range c.Barred {
		if err := s.withdraw(ctx, tx, barred, a); err != nil {
			return err
		}
	}
	c.Barred = nil
	return nil
}
