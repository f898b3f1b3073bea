package identity

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// HelpsPatient reports whether an account is of somebody who helps, or was asked to
// help, with the record of a patient. Errors: errs.Unavailable.
func (s *Service) HelpsPatient(ctx context.Context, tenant string, patient fhir.Reference, account string) (bool, error) {
	p, err := s.d.Store.PersonByIdentity(ctx, tenant, patient)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	helpers, err := s.helpers(ctx, p)
	return slices.Contains(helpers, account), err
}

// CanSignIn reports whether somebody has an account with something to sign in with.
// Errors: errs.Unavailable.
func (s *Service) CanSignIn(ctx context.Context, tenant string, patient fhir.Reference) (bool, error) {
	return canSignIn(ctx, s.d.Store, tenant, patient)
}

// CanSignInTx is CanSignIn inside a transaction.
func (s *Service) CanSignInTx(ctx context.Context, tx Tx, tenant string, patient fhir.Reference) (bool, error) {
	return canSignIn(ctx, tx, tenant, patient)
}

func canSignIn(ctx context.Context, st Ports, tenant string, patient fhir.Reference) (bool, error) {
	p, err := st.PersonByIdentity(ctx, tenant, patient)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	all, err := st.Factors(ctx, tenant, p.ID)
	return !p.Disabled && len(all) > 0, err
}

// OpenBedsideTx lets a patient set up a way to sign in before a witness, or makes
// somebody the second witness of what waits for one. What the same witness began
// before is over. helps is what HelpsPatient says of them. A refusal is an answer: what was counted and recorded stays.
// Refusals: errs.Forbidden as of BedsidePlan, or with code bedside-helper;
// errs.Conflict with code bedside-running; errs.Invalid with code bedside-how;
// errs.RateLimited with code bedside-many. Errors: errs.Unavailable.
func (s *Service) OpenBedsideTx(ctx context.Context, tx Tx, p Person, patient string, w Witnessing, helps bool, m Meta) (t Ticket, refusal, err error) {
	now := s.now()
	sess, err := tx.SessionByHash(ctx, p.Tenant, w.Session)
	if err != nil {
		return Ticket{}, nil, err
	}
	mine := Witness{PersonID: w.By.ID, Name: w.By.Name, Session: root(sess), Browser: sess.Browser, How: w.How, Said: now}
	refused := Ticket{Tenant: p.Tenant, PersonID: p.ID, Bedside: &Bedside{Patient: patient, Witnesses: []Witness{mine}}}
	all, err := tx.Factors(ctx, p.Tenant, p.ID)
	if err != nil {
		return Ticket{}, nil, err
	}
	needs, refusal := BedsidePlan(p, all)
	if refusal == nil {
		refusal, err = s.mayWitness(ctx, tx, p, w, helps, now)
	}
	if err != nil {
		return Ticket{}, nil, err
	}
	if refusal != nil {
		return Ticket{}, refusal, s.bedsideEvent(ctx, tx, refused, w, "opened", errs.As(refusal).Code, m, now)
	}
	pending, err := tx.OpenTickets(ctx, p.Tenant, p.ID, TicketBedside, now)
	if err != nil {
		return Ticket{}, nil, err
	}
	for _, other := range pending {
		switch {
		case other.Bedside.Witnesses[0].PersonID == w.By.ID:
			if err := s.closeBedside(ctx, tx, other, TicketDenied, w, "replaced", m, now); err != nil {
				return Ticket{}, nil, err
			}
		case other.State == TicketSeen && len(other.Bedside.Witnesses) < other.Bedside.Needs:
			t, err = s.joinBedside(ctx, tx, other, mine, w, m, now)
			return t, nil, err
		default:
			if here, err := s.present(ctx, tx, p.Tenant, *other.Bedside, now); err != nil || here {
				return Ticket{}, errs.New(errs.Conflict, "bedside-running", "A colleague is doing this with the patient now."), err
			}
		}
	}
	t, err = s.newBedside(ctx, tx, p, Bedside{Seed: s.d.IDs.ID(), Patient: patient, Name: p.Name, Needs: needs, Witnesses: []Witness{mine}}, now)
	if err != nil {
		return Ticket{}, nil, err
	}
	return t, nil, s.bedsideEvent(ctx, tx, t, w, "opened", "", m, now)
}

// mayWitness counts what one of the staff begins in a day, and what is begun for one
// patient (SM-24: no way to take accounts over by the dozen).
func (s *Service) mayWitness(ctx context.Context, tx Tx, p Person, w Witnessing, helps bool, now time.Time) (refusal, err error) {
	if !slices.Contains(BedsideWays(), w.How) {
		return errs.New(errs.Invalid, "bedside-how", "Say how you made sure who the patient is."), nil
	}
	if helps {
		return errs.New(errs.Forbidden, "bedside-helper", "Whoever helps with a record is no witness for it."), nil
	}
	for key, limit := range map[string]Limit{"bedside-by:" + w.By.ID: bedsidePerWitness, "bedside-for:" + p.ID: bedsidePerPatient} {
		n, err := tx.CountFailure(ctx, p.Tenant, key, now, limit.Window)
		if err != nil {
			return nil, err
		}
		if n > limit.Tries {
			refusal = errs.New(errs.RateLimited, "bedside-many", "This was begun too often today.")
		}
	}
	return refusal, nil
}

func (s *Service) newBedside(ctx context.Context, tx Tx, p Person, b Bedside, now time.Time) (Ticket, error) {
	t := Ticket{
		Tenant: p.Tenant, Kind: TicketBedside, PersonID: p.ID, State: TicketOpen, Created: now, Ends: now.Add(BedsideLife),
		ID: s.bedsideID(s.bedsideCode(b.Seed, now)), Bedside: &b,
	}
	return t, tx.AddTicket(ctx, t)
}

func (s *Service) joinBedside(ctx context.Context, tx Tx, t Ticket, mine Witness, w Witnessing, m Meta, now time.Time) (Ticket, error) {
	t.Bedside.Witnesses = append(t.Bedside.Witnesses, mine)
	if err := s.moveBedside(ctx, tx, t, TicketSeen); err != nil {
		return Ticket{}, err
	}
	return t, s.bedsideEvent(ctx, tx, t, w, "joined", "", m, now)
}

// moveBedside stores the next state. Errors: errs.NotFound with code bedside-over when
// somebody was faster.
func (s *Service) moveBedside(ctx context.Context, tx Tx, t Ticket, from TicketState) error {
	won, err := tx.MoveTicket(ctx, t, from)
	if err == nil && !won {
		err = bedsideOver()
	}
	return err
}

func (s *Service) closeBedside(ctx context.Context, tx Tx, t Ticket, to TicketState, w Witnessing, reason string, m Meta, now time.Time) error {
	from := t.State
	b := *t.Bedside
	b.Factor.Secret = nil // what nobody confirmed is not kept
	t.State, t.Bedside = to, &b
	if err := s.moveBedside(ctx, tx, t, from); err != nil {
		return err
	}
	return s.bedsideEvent(ctx, tx, t, w, "ended", reason, m, now)
}

// witnessOf gives the place of a witness in their own session, -1 for anybody else.
func witnessOf(t Ticket, w Witnessing, sess Session) int {
	return slices.IndexFunc(t.Bedside.Witnesses, func(v Witness) bool { return v.PersonID == w.By.ID && v.Session == root(sess) })
}

// BedsideOf gives an enrolment to one of its witnesses, in the session in which they
// said so. Errors: errs.NotFound with code bedside-over; errs.Unavailable.
func (s *Service) BedsideOf(ctx context.Context, tenant, id string, w Witnessing) (t Ticket, place int, err error) {
	return s.bedsideOf(ctx, s.d.Store, tenant, id, w, s.now())
}

func (s *Service) bedsideOf(ctx context.Context, st Ports, tenant, id string, w Witnessing, now time.Time) (Ticket, int, error) {
	t, _, err := s.bedside(ctx, st, tenant, id, now)
	if err != nil {
		return Ticket{}, -1, err
	}
	sess, err := st.SessionByHash(ctx, tenant, w.Session)
	if err != nil {
		return Ticket{}, -1, err
	}
	place := witnessOf(t, w, sess)
	if place < 0 {
		return Ticket{}, -1, bedsideOver()
	}
	return t, place, nil
}

// CancelBedsideTx ends an enrolment for a witness. Errors: errs.NotFound with code
// bedside-over; errs.Unavailable.
func (s *Service) CancelBedsideTx(ctx context.Context, tx Tx, tenant, id string, w Witnessing, m Meta) error {
	now := s.now()
	t, _, err := s.bedsideOf(ctx, tx, tenant, id, w, now)
	if err == nil && !t.State.Pending() {
		err = bedsideOver()
	}
	if err != nil {
		return err
	}
	return s.closeBedside(ctx, tx, t, TicketDenied, w, "cancelled", m, now)
}

// ConfirmBedsideTx takes the number that the patient's device shows for the witness.
// Three numbers are looked at. The last witness's completes the enrolment; State is
// TicketApproved then. A refusal is an answer: what was counted stays. Refusals:
// errs.Unauthenticated with code bedside-number; errs.NotFound with code bedside-over.
// Errors: errs.NotFound with code bedside-over; errs.Conflict with code factor-exists;
// errs.Unavailable.
func (s *Service) ConfirmBedsideTx(ctx context.Context, tx Tx, tenant, id string, w Witnessing, number string, m Meta) (t Ticket, refusal, err error) {
	now := s.now()
	t, place, err := s.bedsideOf(ctx, tx, tenant, id, w, now)
	if err != nil {
		return Ticket{}, nil, err
	}
	from := t.State
	if due := map[TicketState]int{TicketMade: 0, TicketSeen: 1}; from != TicketMade && from != TicketSeen || due[from] != place {
		return Ticket{}, nil, bedsideOver()
	}
	if !ids.Equal(s.BedsideNumber(t, place), digits(number)) {
		refusal, err = s.wrongNumber(ctx, tx, t, w, m, now)
		return t, refusal, err
	}
	p, err := tx.PersonByID(ctx, tenant, t.PersonID)
	if err != nil {
		return Ticket{}, nil, err
	}
	all, err := tx.Factors(ctx, tenant, t.PersonID)
	if err != nil {
		return Ticket{}, nil, err
	}
	if !s.stillFits(p, all, *t.Bedside) {
		return Ticket{}, bedsideOver(), s.closeBedside(ctx, tx, t, TicketDenied, w, "account-changed", m, now)
	}
	b := *t.Bedside
	b.Witnesses = slices.Clone(b.Witnesses)
	b.Witnesses[place].Confirmed = now
	t.Bedside, t.State = &b, TicketSeen
	if !b.confirmed() {
		if err := s.moveBedside(ctx, tx, t, from); err != nil {
			return Ticket{}, nil, err
		}
		return t, nil, s.bedsideEvent(ctx, tx, t, w, "confirmed", "", m, now)
	}
	made := b.Factor
	b.Factor.Secret = nil
	t.State, t.Ends = TicketApproved, now.Add(BedsideLife)
	if err := s.moveBedside(ctx, tx, t, from); err != nil {
		return Ticket{}, nil, err
	}
	if err := s.enrolWitnessed(ctx, tx, p, all, made, m, now); err != nil {
		return Ticket{}, nil, err
	}
	return t, nil, s.bedsideEvent(ctx, tx, t, w, "done", "", m, now)
}

// stillFits reports whether nothing came between that asks for more: another way in, or
// word that the person is at particular risk.
func (s *Service) stillFits(p Person, all []Factor, b Bedside) bool {
	needs, unfit := BedsidePlan(p, all)
	if unfit != nil || needs > b.Needs {
		return false
	}
	if k, ok := b.Factor.Passkey(); ok {
		return s.d.Policy.Keys.Judge(p, k) == nil
	}
	return !p.HighRisk
}

func (s *Service) wrongNumber(ctx context.Context, tx Tx, t Ticket, w Witnessing, m Meta, now time.Time) (refusal, err error) {
	refusal = errs.New(errs.Unauthenticated, "bedside-number", "This is not the number on the patient's device.")
	n, err := tx.CountFailure(ctx, t.Tenant, "bedside-number:"+t.ID, now, BedsideLife)
	if err != nil {
		return nil, err
	}
	if n >= numberTries {
		return bedsideOver(), s.closeBedside(ctx, tx, t, TicketSpent, w, "number-wrong", m, now)
	}
	return refusal, s.bedsideEvent(ctx, tx, t, w, "confirmed", "number-wrong", m, now)
}

// enrolWitnessed stores what the patient's device made, and tells the person at every
// address. What was there stays, but for a password that the patient replaced: it ends
// all log-ins that came by the old one.
func (s *Service) enrolWitnessed(ctx context.Context, tx Tx, p Person, all []Factor, f Factor, m Meta, now time.Time) error {
	f.Created = now
	c := change{kind: audit.FactorAdded, factor: f, outcome: audit.Success, reason: reasonBedside, meta: m, quiet: true}
	i := slices.IndexFunc(all, func(o Factor) bool { return o.Kind == FactorPassword })
	switch {
	case f.Kind == FactorPassword && i >= 0:
		f.ID = all[i].ID
		c.kind, c.factor = audit.FactorChanged, f
		if err := tx.PutFactor(ctx, f); err != nil {
			return err
		}
		nobody := Session{Tenant: p.Tenant, PersonID: p.ID}
		if _, err := s.endThose(ctx, tx, nobody, reasonBedside, m, now, func(Session) bool { return true }); err != nil {
			return err
		}
		if err := s.forgetDevices(ctx, tx, p); err != nil {
			return err
		}
	default:
		if err := tx.AddFactor(ctx, f); err != nil {
			return err
		}
	}
	if err := s.factorChanged(ctx, tx, c, now); err != nil {
		return err
	}
	return tx.AddNotice(ctx, outbox.Notice{
		Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Template: NoticeBedside,
		Args: map[string]string{"kind": string(f.Kind)}, Created: now,
	})
}
