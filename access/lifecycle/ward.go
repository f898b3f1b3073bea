package lifecycle

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// attestParent puts in the papers of a parent, with the birthdays that count.
func (s *Service) attestParent(ctx context.Context, c proxy.Case, in proxy.Authority, a Actor) (proxy.Case, error) {
	w, err := s.ward(ctx, c.Patient)
	if err != nil {
		return c, err
	}
	c.Law = s.Law.Version
	return c.AttestParent(in, w, s.signed(a))
}

// ward gives the days on which a patient grows up, by the law as it is now.
func (s *Service) ward(ctx context.Context, patient string) (proxy.Ward, error) {
	born, err := s.Born(ctx, patient)
	if err != nil {
		return proxy.Ward{}, err
	}
	w := proxy.Ward{Jurisdiction: s.Law.Jurisdiction}
	w.Teen, w.Adult, _ = s.Law.Turns(born)
	w.Teen, w.Adult = w.Teen.UTC(), w.Adult.UTC()
	for topic, at := range s.Law.Alone(born) {
		if w.Alone == nil {
			w.Alone = map[string]time.Time{}
		}
		w.Alone[topic] = at.UTC()
	}
	return w, nil
}

// Propose is the signature of a teenager under what a parent may see (FX-24): the
// Consent stays proposed, and nothing is open until the parent signs too. Errors:
// of proxy.Propose.
func (s *Service) Propose(ctx context.Context, a Actor, id string, t proxy.Terms) (proxy.Case, error) {
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Propose(t, s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.shut(ctx, tx, c, a); err != nil {
				return err
			}
			c.Rested = ""
			if err := s.file(ctx, tx, c, a); err != nil {
				return err
			}
			return s.tell(ctx, tx, *c, "proxy.changed")
		})
}

// Cosign is the signature of the parent: the second of two.
func (s *Service) Cosign(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, proxysCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Cosign(s.now().Add(proxy.Wait), s.signed(a)) },
		s.fits, func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.open(ctx, tx, c, a, "proxy.granted") })
}

// FreeReasons are why a minor stands on the own feet before the birthday (LC-22).
func FreeReasons() []string { return []string{"emancipated", "married", "court"} }

// Free ends the access of every parent to the record, because the minor is free of
// them by law. Errors: errs.Invalid with code proxy-reason; errs.Forbidden with
// code proxy-not-minor.
func (s *Service) Free(ctx context.Context, a Actor, id, reason string) (proxy.Case, error) {
	free := func(c proxy.Case) (proxy.Case, error) {
		if !in(reason, FreeReasons()) {
			return c, errs.New(errs.Invalid, "proxy-reason", "Choose a reason.")
		}
		return c.Free(reason, s.signed(a))
	}
	end := func(ctx context.Context, tx Tx, c *proxy.Case) error {
		if err := s.sever(ctx, tx, c, a); err != nil {
			return err
		}
		return s.tell(ctx, tx, *c, "proxy.changed")
	}
	return s.step(ctx, id, a, staffsCase, free, end, func(ctx context.Context, tx Tx, c *proxy.Case) error {
		if err := s.tellPatient(ctx, tx, *c, "proxy.ended"); err != nil {
			return err
		}
		return s.others(ctx, tx, *c, a, func(o *proxy.Case) error {
			if o.Ward.Adult.IsZero() {
				return nil
			}
			next, err := free(*o)
			if err != nil {
				return err
			}
			*o = next
			return end(ctx, tx, o)
		}, proxy.Alive()...)
	})
}

// ripen notes that a child became a teenager (LC-20): the Consent of before ends,
// and the one that was filed with it holds.
func (s *Service) ripen(ctx context.Context, tx Tx, c *proxy.Case) error {
	next, err := c.Ripen(s.now())
	if err != nil {
		return err
	}
	*c = next
	if err := s.follow(ctx, tx, c); err != nil {
		return err
	}
	has, err := s.Accounts.CanSignInTx(ctx, tx, s.Tenant, fhir.Reference{Type: "Patient", ID: c.Patient})
	switch {
	case err != nil:
		return err
	case has:
		if err := s.tell(ctx, tx, *c, "proxy.changed"); err != nil {
			return err
		}
		return s.tellPatient(ctx, tx, *c, "proxy.teen")
	}
	// Whoever is to be invited reads nothing here yet; the parent and the staff do.
	if err := s.tell(ctx, tx, *c, templateTeenAccount); err != nil {
		return err
	}
	for _, who := range []string{c.Authority.Attested.By, c.Authority.Checked.By} {
		if err := s.tellAccount(ctx, tx, who, templateTeenAccount); err != nil {
			return err
		}
	}
	return nil
}

// templateTeenAccount says that a teenager can have an own account now.
const templateTeenAccount = "proxy.teen-account"

// Invitable reports whether the patient of a parent's case is a teenager who decides
// and has no account to do so (LC-20): staff set one up with them in person
// (SM-24). Errors: errs.Unavailable.
func (s *Service) Invitable(ctx context.Context, c proxy.Case) (bool, error) {
	now := s.now()
	if c.Ward.Band(now) != proxy.BandTeen || c.At(now).Over() {
		return false, nil
	}
	has, err := s.Accounts.CanSignIn(ctx, s.Tenant, fhir.Reference{Type: "Patient", ID: c.Patient})
	return !has, err
}

// topical notes that a child decides about a topic alone (LB-11), and files what
// comes after.
func (s *Service) topical(ctx context.Context, tx Tx, c *proxy.Case) error {
	next, err := c.Topical(s.now())
	if err != nil {
		return err
	}
	from := c.Turns
	*c = next
	if err := s.follow(ctx, tx, c); err != nil {
		return err
	}
	if err := s.fileNext(ctx, tx, c, from, s.clock()); err != nil {
		return err
	}
	return s.tell(ctx, tx, *c, "proxy.changed")
}

// follow lets the Consent that was filed for after a day take the place of the one
// before.
func (s *Service) follow(ctx context.Context, tx Tx, c *proxy.Case) error {
	before := c.ConsentID
	c.ConsentID, c.Next, c.Turns = c.Next, "", time.Time{}
	if before == "" {
		return nil
	}
	return s.withdraw(ctx, tx, before, s.clock())
}
