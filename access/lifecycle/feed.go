package lifecycle

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// What a registration feed can tell.
const (
	// FeedDeath: the patient has died (ADT A03, A31). One source is not enough:
	// staff say so too (LC-23).
	FeedDeath = "death-reported"
	// FeedParted: a relationship has ended (LC-19).
	FeedParted = "relationship-ended"
	// FeedMerged and FeedUnmerged: two records are one, or are two again (LC-27).
	FeedMerged   = "patient-merged"
	FeedUnmerged = "patient-unmerged"
	// FeedCustodian: another organisation keeps the records; it is the one that the
	// tenant names now (LC-28).
	FeedCustodian = "custodian-changed"
)

// Where other systems tell.
const (
	FeedPath     = "/admin/people/events"
	ProofingPath = "/admin/people/{id}/proofing"
)

// News is one message of a registration feed.
type News struct {
	Kind string
	// Patient is whom it is about; of a merge the record that stays. Other is the
	// record that goes into it.
	Patient, Other string
	// Relation is the RelatedPerson of a relationship that ended.
	Relation string
	// Transfer hands agreements on to the new custodian; without, each patient is
	// asked anew.
	Transfer bool
}

// Hear does what a registration feed tells, and gives how many accesses changed. A
// message that comes twice changes nothing the second time. Errors: errs.Invalid
// with code feed-kind or feed-subject.
func (s *Service) Hear(ctx context.Context, a Actor, n News) (int, error) {
	bad := errs.New(errs.Invalid, "feed-subject", "The message does not say whom it is about.")
	switch n.Kind {
	case FeedDeath:
		if !fhir.ValidID(n.Patient) {
			return 0, bad
		}
		return s.inOne(ctx, func(tx Tx) (int, error) { return s.reported(ctx, tx, n.Patient, a) })
	case FeedParted:
		if !fhir.ValidID(n.Patient) || !fhir.ValidID(n.Relation) {
			return 0, bad
		}
		return s.inOne(ctx, func(tx Tx) (int, error) { return s.parted(ctx, tx, n, a) })
	case FeedMerged, FeedUnmerged:
		if !fhir.ValidID(n.Patient) || !fhir.ValidID(n.Other) || n.Patient == n.Other {
			return 0, bad
		}
		return s.inOne(ctx, func(tx Tx) (int, error) {
			if n.Kind == FeedMerged {
				return s.merge(ctx, tx, n.Patient, n.Other, a)
			}
			return s.unmerge(ctx, tx, n.Patient, n.Other, a)
		})
	case FeedCustodian:
		return s.handOn(ctx, a, n.Transfer)
	}
	return 0, errs.New(errs.Invalid, "feed-kind", "There is no such message.")
}

func (s *Service) inOne(ctx context.Context, do func(Tx) (int, error)) (n int, err error) {
	err = s.Tx.InTx(ctx, func(tx Tx) (err error) {
		n, err = do(tx)
		return err
	})
	return n, err
}

// each changes cases in a transaction of the caller; a case that comes back with no
// further step stays as it is.
func (s *Service) each(ctx context.Context, tx Tx, cases []proxy.Case, a Actor, do func(*proxy.Case) error) (n int, err error) {
	for _, c := range cases {
		steps := len(c.Steps)
		if err := do(&c); err != nil {
			return n, err
		}
		if len(c.Steps) == steps {
			continue
		}
		if err := s.put(ctx, tx, &c, a); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// reported is the first of two sources for a death, or the second after a member of
// staff.
func (s *Service) reported(ctx context.Context, tx Tx, patient string, a Actor) (int, error) {
	all, err := tx.CasesOfPatient(ctx, s.Tenant, patient)
	if err != nil {
		return 0, err
	}
	second := false
	for _, c := range all {
		second = second || !c.Died.Zero() && c.Died.By != s.signed(a).By && !c.Mourned()
	}
	return s.each(ctx, tx, all, a, func(c *proxy.Case) (err error) {
		switch state := c.At(s.now()); {
		case c.Mourned() || !in(state, []proxy.State{proxy.StateConfirmed, proxy.StateActive}):
			return nil
		case second:
			if *c, err = c.Mourn(s.Bereavement, s.signed(a)); err != nil {
				return err
			}
			return s.rest(ctx, tx, c, a)
		case c.Died.Zero():
			*c, err = c.Report(s.signed(a))
		}
		return err
	})
}

// parted ends the access of a relation that the feed ended.
func (s *Service) parted(ctx context.Context, tx Tx, n News, a Actor) (int, error) {
	all, err := tx.CasesOfPatient(ctx, s.Tenant, n.Patient)
	if err != nil {
		return 0, err
	}
	return s.each(ctx, tx, all, a, func(c *proxy.Case) error {
		if c.RelationID != n.Relation || c.At(s.now()).Over() {
			return nil
		}
		next, err := c.Part(s.signed(a))
		if err != nil {
			return err
		}
		*c = next
		if err := s.sever(ctx, tx, c, a); err != nil {
			return err
		}
		return s.tellPatient(ctx, tx, *c, "proxy.ended")
	})
}

// Proofed notes what a proofing service found: the connector of a tenant's service
// calls it with the service's own reference (LC-02). Errors: errs.NotFound;
// errs.Invalid with code proxy-evidence; those of the machine.
func (s *Service) Proofed(ctx context.Context, a Actor, id, evidence string) (proxy.Case, error) {
	anybody := func(ctx context.Context, tx proxy.Cases, tenant, id string, _ Actor) (proxy.Case, error) {
		c, err := tx.CaseByID(ctx, tenant, id)
		if errs.Is(err, errs.NotFound) {
			err = unknown()
		}
		return c, err
	}
	return s.step(ctx, id, a, anybody,
		func(c proxy.Case) (proxy.Case, error) { return c.Remote(evidence, s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.proofed(ctx, tx, *c, a) })
}

// handOn takes every running access to the organisation that the tenant names now
// (LC-28). Each is a transaction of its own, so that it can be begun again.
func (s *Service) handOn(ctx context.Context, a Actor, transfer bool) (n int, err error) {
	start := s.now()
	for _, state := range []proxy.State{proxy.StateConfirmed, proxy.StateActive} {
		some, err := s.handOnIn(ctx, state, start, transfer, a)
		if n += some; err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Service) handOnIn(ctx context.Context, state proxy.State, start time.Time, transfer bool, a Actor) (n int, err error) {
	for {
		list, err := s.Read.CasesIn(ctx, s.Tenant, state, tendAtOnce)
		if err != nil {
			return n, err
		}
		before := n
		for _, c := range list {
			if !c.Updated.Before(start) {
				continue
			}
			one, err := s.inOne(ctx, func(tx Tx) (int, error) { return s.handOne(ctx, tx, c.ID, transfer, a) })
			if err != nil && !errs.Is(err, errs.PreconditionFailed) {
				return n, err
			}
			n += one
		}
		if n == before {
			return n, nil
		}
	}
}

func (s *Service) handOne(ctx context.Context, tx Tx, id string, transfer bool, a Actor) (int, error) {
	c, err := tx.CaseByID(ctx, s.Tenant, id)
	if err != nil || c.At(s.now()) != proxy.StateActive {
		return 0, err
	}
	return s.each(ctx, tx, []proxy.Case{c}, a, func(c *proxy.Case) (err error) {
		if transfer {
			if *c, err = c.HandOn(s.signed(a)); err != nil {
				return err
			}
			return s.refile(ctx, tx, c, a)
		}
		if *c, err = c.Pause(s.signed(a), proxy.CustodianChanged); err != nil {
			return err
		}
		if err := s.shut(ctx, tx, c, a); err != nil {
			return err
		}
		return s.tellPatient(ctx, tx, *c, "proxy.changed")
	})
}
