package lifecycle

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/law"
	"github.com/mandate-health/mandate/proxy"
)

// topics gives the labels of each topic for the Consents of a case: as the law has
// them when somebody agrees, and otherwise what both then and now are of the topic,
// so that a law that widened gives nothing to an access that there is.
func (s *Service) topics(c proxy.Case, act proxy.Act) map[string][]string {
	out := map[string][]string{}
	agreed := in(act, []proxy.Act{proxy.ActConfirm, proxy.ActPropose, proxy.ActCosign, proxy.ActRenew, proxy.ActChange, proxy.ActReview})
	for _, topic := range law.TopicNames() {
		out[topic] = s.Law.Labels(topic, s.now())
		if !agreed && c.Topics != nil {
			out[topic] = slices.DeleteFunc(out[topic], func(l string) bool { return !slices.Contains(c.Topics[topic], l) })
		}
	}
	return out
}

// Enact applies the law as it is loaded to every access by a legal instrument that
// was agreed to under another: what is less holds at once, what is more is left to a
// new agreement. It can be called again; each case is a transaction of its own.
// Errors: errs.Upstream while birth dates cannot be read, errs.Unavailable; the cases
// that could be done are done.
func (s *Service) Enact(ctx context.Context) error {
	var failed error
	for _, state := range []proxy.State{proxy.StateProofed, proxy.StateVerified, proxy.StateProposed, proxy.StateConfirmed, proxy.StateActive, proxy.StateSuspended} {
		for after := ""; ; {
			list, err := s.Read.CasesAfter(ctx, s.Tenant, state, after, tendAtOnce)
			if err != nil {
				return err
			}
			for _, c := range list {
				after = c.ID
				if c.Basis != proxy.BasisRepresentative || c.Law == s.Law.Version {
					continue
				}
				// Somebody who was faster has looked by the law of now.
				if err := s.enact(ctx, c); err != nil && !errs.Is(err, errs.PreconditionFailed) {
					failed = err
				}
			}
			if len(list) < tendAtOnce {
				break
			}
		}
	}
	return failed
}

func (s *Service) enact(ctx context.Context, seen proxy.Case) error {
	w := seen.Ward
	if !w.Adult.IsZero() {
		// Asked outside of the transaction: another server answers.
		now, err := s.ward(ctx, seen.Patient)
		if err != nil {
			return err
		}
		w = w.Narrowed(now)
	}
	return s.Tx.InTx(ctx, func(tx Tx) error {
		c, err := tx.CaseByID(ctx, s.Tenant, seen.ID)
		if err != nil {
			return err
		}
		if c.Version != seen.Version {
			return errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
		}
		topics, until := s.topics(c, proxy.ActEnact), s.latest(c, w)
		c.Law = s.Law.Version
		if w.Same(c.Ward) && fewer(topics, c.Topics) == "" && (until.IsZero() || !until.Before(c.Terms.Until)) {
			before := c.Version
			c.Version++
			return tx.PutCase(ctx, c, before)
		}
		if c, err = c.Enact(w, topics, until, s.now()); err != nil {
			return err
		}
		return s.enacted(ctx, tx, c)
	})
}

// enacted files what the law left of an access.
func (s *Service) enacted(ctx context.Context, tx Tx, c proxy.Case) error {
	if c.At(s.now()) == proxy.StateExpired {
		return s.expire(ctx, tx, c)
	}
	if c.State == proxy.StateActive || c.State == proxy.StateConfirmed {
		if err := s.refile(ctx, tx, &c, s.clock()); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, c, "proxy.changed"); err != nil {
			return err
		}
	}
	return s.put(ctx, tx, &c, s.clock())
}

// fewer names a topic that lost a label, "" when none did. Without labels of before
// nothing is known to be lost.
func fewer(topics, before map[string][]string) string {
	for topic, labels := range before {
		if slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(topics[topic], l) }) {
			return topic
		}
	}
	return ""
}

// latest gives the last instant that the law leaves a case: before the patient comes
// of age, and the day of a review that two clinicians must come to; zero: none.
func (s *Service) latest(c proxy.Case, w proxy.Ward) (until time.Time) {
	if !w.Adult.IsZero() {
		until = w.Adult.Add(-time.Second)
	}
	if c.Authority.Trigger != proxy.TriggerCapacity || len(c.Determined) == 0 {
		return until
	}
	looked := c.Determined[len(c.Determined)-1].At
	if i := last(c, proxy.ActReview); i >= 0 && c.Steps[i].At.After(looked) {
		looked = c.Steps[i].At
	}
	if review := looked.AddDate(0, 0, s.longestReview()+1); until.IsZero() || review.Before(until) {
		until = review
	}
	return until
}
