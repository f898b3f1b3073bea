package lifecycle

import (
	"cmp"
	"context"
	"slices"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// queueLimit is how many cases of one state a work queue shows.
const queueLimit = 200

// Queue gives what waits for staff: those who asked and whose patient cannot be asked,
// those to be proofed, those whose authority may be put in or verified, verified ones
// that wait to take effect, and those that staff hold. Errors:
// errs.Forbidden, errs.Unavailable.
func (s *Service) Queue(ctx context.Context, a Actor) ([]proxy.Case, error) {
	if !Clinical(a.Person) {
		return nil, ErrNotClinical
	}
	var out []proxy.Case
	for _, state := range []proxy.State{proxy.StateRequested, proxy.StateAccount, proxy.StateProofed, proxy.StateVerified, proxy.StateSuspended, proxy.StateBereaved} {
		list, err := s.Read.CasesIn(ctx, s.Tenant, state, queueLimit)
		if err != nil {
			return nil, err
		}
		out = slices.Concat(out, list)
	}
	return slices.DeleteFunc(out, func(c proxy.Case) bool {
		return c.Asking || c.Who() == a.Person.ID || c.Patient == own(a.Person) || c.Why() == proxy.ByPatient || c.Why() == proxy.MergedAway
	}), nil
}

// ForStaff gives one case to a member of staff, ForPatient to the patient,
// ForProxy to the proxy. Errors: errs.NotFound, errs.Forbidden.
func (s *Service) ForStaff(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return staffsCase(ctx, s.Read, s.Tenant, id, a)
}

// ForPatient gives a case about the actor's own record.
func (s *Service) ForPatient(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return patientsCase(ctx, s.Read, s.Tenant, id, a)
}

// ForProxy gives a case of which the actor is the proxy.
func (s *Service) ForProxy(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return proxysCase(ctx, s.Read, s.Tenant, id, a)
}

// Circle gives the cases about the actor's own record, Helped those in which the
// actor is the proxy.
func (s *Service) Circle(ctx context.Context, a Actor) ([]proxy.Case, error) {
	patient := own(a.Person)
	if patient == "" {
		return nil, nil
	}
	return s.Read.CasesOfPatient(ctx, s.Tenant, patient)
}

// Helped gives the cases of the actor as a proxy, the one begun last first: an order by
// change would tell what the patient or a job does with a case.
func (s *Service) Helped(ctx context.Context, a Actor) ([]proxy.Case, error) {
	cases, err := s.Read.CasesOfPerson(ctx, s.Tenant, a.Person.ID)
	slices.SortFunc(cases, func(a, b proxy.Case) int {
		return cmp.Or(b.Invited.At.Compare(a.Invited.At), cmp.Compare(a.ID, b.ID))
	})
	return cases, err
}

// Proof notes that staff saw the person and two documents (LC-02, SP-03): from
// now on the account is linked for sure. The patient is asked to confirm.
func (s *Service) Proof(ctx context.Context, a Actor, id string, documents []string) (proxy.Case, error) {
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) {
			return c.Proof(proxy.Proofing{Signed: s.signed(a), Method: proxy.MethodInPerson, Documents: documents})
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error { return s.proofed(ctx, tx, *c, a) })
}

// proofed marks the account as linked for sure and asks the patient.
func (s *Service) proofed(ctx context.Context, tx Tx, c proxy.Case, a Actor) error {
	if err := s.link(ctx, tx, c, true, a); err != nil {
		return err
	}
	return s.tellPatient(ctx, tx, c, "proxy.proofed")
}

// RejectReasons are why staff may turn a person away.
func RejectReasons() []string {
	return []string{"not-the-person", "documents", "authority", "duplicate"}
}

// Reject ends a case that staff cannot accept, with a reason code (LC-05).
func (s *Service) Reject(ctx context.Context, a Actor, id, reason string) (proxy.Case, error) {
	files, err := s.lookedAt(ctx, a, id)
	if err != nil {
		return proxy.Case{}, err
	}
	return s.step(ctx, id, a, staffsCase,
		func(c proxy.Case) (proxy.Case, error) {
			if !slices.Contains(RejectReasons(), reason) {
				return c, errs.New(errs.Invalid, "proxy-reason", "Choose a reason.")
			}
			out, err := c.Reject(reason, s.signed(a))
			return out.LookedAt(files), err
		},
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			if err := s.sever(ctx, tx, c, a); err != nil {
				return err
			}
			if err := s.tell(ctx, tx, *c, "proxy.changed"); err != nil {
				return err
			}
			return s.tellPatient(ctx, tx, *c, "proxy.changed")
		})
}
