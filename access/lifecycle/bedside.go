package lifecycle

import (
	"context"
	"encoding/base32"
	"strings"
	"time"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
)

// The templates for those who watch: there are enrolments at the bedside to look at, and
// one of the staff witnessed many in a day.
const (
	TemplateBedsideReview = "bedside-review"
	TemplateBedsideMany   = "bedside-many"
)

const (
	// bedsideRecords begins the ids of the records of identity checks at the bedside.
	bedsideRecords = "bedside-"
	// bedsideMany is how many enrolments of one witness in a day are told at once to
	// those who watch.
	bedsideMany   = 5
	bedsideWindow = 24 * time.Hour
	usernameBytes = 5
)

func (a Actor) witness(how string) identity.Witnessing {
	return identity.Witnessing{By: a.Person, Session: a.Origin.SessionID, How: how}
}

// OpenBedside lets a patient set up a way to sign in while the actor is with them, or
// makes the actor the second witness (SM-24). name is that of the record: a patient who
// has no account gets one, into which nothing leads before the enrolment is done.
// Errors: errs.Forbidden with code staff-page or proxy-self, and the refusals of
// identity.Service.OpenBedsideTx.
func (s *Service) OpenBedside(ctx context.Context, a Actor, patient, name, how string, m identity.Meta) (identity.Ticket, error) {
	if err := notAboutSelf(a, patient); err != nil {
		return identity.Ticket{}, err
	}
	var (
		out     identity.Ticket
		refusal error
	)
	// Read over another connection, hence before the transaction.
	helps, err := s.Accounts.HelpsPatient(ctx, s.Tenant, fhir.Reference{Type: "Patient", ID: patient}, a.Person.ID)
	if err != nil {
		return identity.Ticket{}, err
	}
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		p, err := s.patientAccount(ctx, tx, patient, name)
		if err != nil {
			return err
		}
		out, refusal, err = s.Accounts.OpenBedsideTx(ctx, tx, p, patient, a.witness(how), helps, m)
		return err
	})
	if err == nil {
		err = refusal
	}
	return out, err
}

// patientAccount gives the account of a patient, and makes one where there is none. It
// has nothing to sign in with, and its name to sign in tells nothing.
func (s *Service) patientAccount(ctx context.Context, tx Tx, patient, name string) (identity.Person, error) {
	ref := fhir.Reference{Type: "Patient", ID: patient}
	p, err := tx.PersonByIdentity(ctx, s.Tenant, ref)
	switch {
	case err == nil && own(p) != patient:
		return identity.Person{}, errs.New(errs.Forbidden, "bedside-recovery", "This account is opened again by the recovery queue only.")
	case err == nil || !errs.Is(err, errs.NotFound):
		return p, err
	}
	p = identity.Person{
		Tenant: s.Tenant, ID: s.IDs.ID(), Name: name, Role: identity.RolePatient, Created: s.now(),
		Username:   "p-" + strings.ToLower(base32.StdEncoding.EncodeToString(s.IDs.Bytes(usernameBytes))),
		Identities: []identity.Identity{{Resource: ref, Patient: patient, Verified: true}},
	}
	return p, s.Accounts.CreateTx(ctx, tx, identity.Prepared{Person: p})
}

// BedsideOf gives an enrolment to one of its witnesses. Errors: errs.Forbidden;
// errs.NotFound with code bedside-over.
func (s *Service) BedsideOf(ctx context.Context, a Actor, id string) (t identity.Ticket, place int, err error) {
	if !Clinical(a.Person) {
		return t, -1, ErrNotClinical
	}
	return s.Accounts.BedsideOf(ctx, s.Tenant, id, a.witness(""))
}

// CancelBedside ends an enrolment. Errors: errs.Forbidden; errs.NotFound with code
// bedside-over.
func (s *Service) CancelBedside(ctx context.Context, a Actor, id string, m identity.Meta) error {
	if !Clinical(a.Person) {
		return ErrNotClinical
	}
	return s.Tx.InTx(ctx, func(tx Tx) error {
		return s.Accounts.CancelBedsideTx(ctx, tx, s.Tenant, id, a.witness(""), m)
	})
}

// ConfirmBedside takes the number that the patient's device shows. The last witness's
// completes the enrolment, keeps the record of the identity check with all names on it,
// and tells those who watch. Errors: errs.Forbidden; the refusals and errors of
// identity.Service.ConfirmBedsideTx.
func (s *Service) ConfirmBedside(ctx context.Context, a Actor, id, number string, m identity.Meta) error {
	if !Clinical(a.Person) {
		return ErrNotClinical
	}
	officers, err := s.watchers(ctx)
	if err != nil {
		return err
	}
	var refusal error
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		t, refused, err := s.Accounts.ConfirmBedsideTx(ctx, tx, s.Tenant, id, a.witness(""), number, m)
		refusal = refused
		if err != nil || refused != nil || t.State != identity.TicketApproved {
			return err
		}
		if err := s.keep(ctx, tx, bedsideCheck(t, a).VerificationResult); err != nil {
			return err
		}
		return s.watchBedside(ctx, tx, t, officers)
	})
	if err == nil {
		err = refusal
	}
	return err
}

// bedsideCheck is the record that a patient's identity was checked in person: with the
// names of the patient and of each witness (SM-24).
func bedsideCheck(t identity.Ticket, a Actor) evidence.Check {
	b := t.Bedside
	c := evidence.Check{
		ID: bedsideRecords + b.Seed, Patient: b.Patient, Name: b.Name, Status: "validated", At: b.Witnesses[len(b.Witnesses)-1].Confirmed,
		How: []string{"witnessed", "in-person"},
	}
	for i, w := range b.Witnesses {
		c.How = append(c.How, w.How)
		by := party(w.PersonID, a)
		by.Name = w.Name
		if i == 0 {
			c.Attested, c.AttestedAt = by, w.Confirmed
		} else {
			c.Checked, c.CheckedAt = by, w.Confirmed
		}
	}
	c.How = append(c.How, "factor-"+string(b.Factor.Kind))
	return c
}

// watchers gives the accounts that are told; they are read over another connection,
// hence before a transaction.
func (s *Service) watchers(ctx context.Context) ([]string, error) {
	if s.Officers == nil {
		return nil, nil
	}
	return s.Officers(ctx)
}

// watchBedside tells those who watch that there is something to look at, once a day,
// and at once when one of the staff witnessed many.
func (s *Service) watchBedside(ctx context.Context, tx Tx, t identity.Ticket, officers []string) error {
	told := map[string]string{}
	for _, w := range t.Bedside.Witnesses {
		n, err := tx.CountFailure(ctx, s.Tenant, "bedside-done:"+w.PersonID, s.now(), bedsideWindow)
		if err != nil {
			return err
		}
		if n == bedsideMany {
			told[TemplateBedsideMany] = w.PersonID
		}
	}
	n, err := tx.CountFailure(ctx, s.Tenant, "bedside-review", s.now(), bedsideWindow)
	if err != nil {
		return err
	}
	if n == 1 {
		told[TemplateBedsideReview] = ""
	}
	for template := range told {
		for _, officer := range officers {
			if err := s.tellAccount(ctx, tx, officer, template); err != nil {
				return err
			}
		}
	}
	return nil
}
