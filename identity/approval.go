package identity

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

const (
	// methodChannel: the number of one device was typed on another one (RFC 8176 §2,
	// multiple-channel authentication).
	methodChannel   = "mca"
	purposeApproval = "approval"
	// numberRange gives six digits (NIST 800-63B-4 §3.1.3.2: at least 20 bits).
	numberRange = 1_000_000
	// numberTries is how many numbers may be typed for one log-in.
	numberTries = 3
	// denialsMost is how many denials switch the way off (SM-15).
	denialsMost = 2
)

// approvalsAsked is how often a person may be asked (SM-14).
var approvalsAsked = Limit{Tries: 3, Window: 10 * time.Minute}

// Approval is a log-in that waits for another device.
type Approval struct {
	// Ticket comes back when the person goes on; Number is what to type there.
	Ticket, Number string
	Ends           time.Time
}

// approver reports whether a session may approve the log-in of another one: two
// factors, on a known device of the person's own that is not the one that asks.
func approver(v Session, browser, device string, now time.Time) bool {
	return v.Live(now) && v.Level().Reaches(AAL2) && v.Device != "" && !v.Shared && v.Browser != "" &&
		v.Browser != browser && v.Device != device
}

func deniedKey(personID string) string { return "approval-denied:" + personID }

// approvable reports whether a session's log-in may be approved on another device:
// there is one, and the person did not deny twice. People at particular risk, whom
// somebody may press, have no such way.
func (s *Service) approvable(ctx context.Context, st Ports, sess Session, p Person, device string, now time.Time) (bool, error) {
	if p.HighRisk || sess.Browser == "" {
		return false, nil
	}
	live, err := st.SessionsOfPerson(ctx, p.Tenant, p.ID, now)
	if err != nil {
		return false, err
	}
	found := false
	for _, v := range live {
		found = found || approver(v, sess.Browser, device, now)
	}
	if !found {
		return false, nil
	}
	denied, err := st.Consecutive(ctx, p.Tenant, deniedKey(p.ID))
	return denied < denialsMost, err
}

// ApprovalOf gives again what AskApproval gave with a ticket.
func (s *Service) ApprovalOf(ticket string) Approval {
	return Approval{Ticket: ticket, Number: s.number(ticket), Ends: claimedEnd(ticket)}
}

func (s *Service) ticketID(ticket string) string { return s.d.Hasher.Hash("ticket", ticket) }

// number gives the digits of a ticket: nobody can tell them who was not given it.
func (s *Service) number(ticket string) string {
	sum := s.d.Hasher.Sum("approval-number", ticket)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum)%numberRange)
}

func (s *Service) numberHash(ticketID, number string) string {
	return s.d.Hasher.Hash("approval-number:"+ticketID, number)
}

// AskApproval asks the person's other devices to approve the log-in of a session, and
// gives the number that has to be typed there (SM-13). It is good for five minutes, for
// this session alone. A fourth time within ten minutes nobody is asked, and the answer
// looks the same (SM-14). Errors: errs.Unauthenticated with code session-ended;
// errs.Conflict with code approval-nobody; errs.Unavailable.
func (s *Service) AskApproval(ctx context.Context, tenant, secret string, m Meta) (Approval, error) {
	now := s.now()
	var out Approval
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		sess, p, err := s.load(ctx, tx, tenant, secret, now)
		if err == nil && !s.bound(sess, m) {
			err = sessionEnded()
		}
		if err != nil {
			return err
		}
		fits, err := s.approvable(ctx, tx, sess, p, s.device(m.Device), now)
		if err != nil {
			return err
		}
		if !fits {
			return errs.New(errs.Conflict, "approval-nobody", "No other device of this person can approve the log-in.")
		}
		ticket := s.newChallenge(purposeApproval, sess.Hash, now)
		out = s.ApprovalOf(ticket)
		n, err := tx.CountFailure(ctx, tenant, "approval:"+p.ID, now, approvalsAsked.Window)
		if err != nil {
			return err
		}
		if n > approvalsAsked.Tries {
			return s.approvalEvent(ctx, tx, audit.ApprovalAsked, sess, tooManyTries, m, now)
		}
		id := s.ticketID(ticket)
		err = tx.AddTicket(ctx, Ticket{
			Tenant: tenant, ID: id, Kind: TicketApproval, PersonID: p.ID, State: TicketOpen, Created: now, Ends: out.Ends,
			Session: sess.Hash, Browser: sess.Browser, Device: s.device(m.Device), Agent: m.Agent, Network: AddressPrefix(m.Address),
			Number: s.numberHash(id, out.Number),
		})
		if err != nil {
			return err
		}
		return s.approvalEvent(ctx, tx, audit.ApprovalAsked, sess, "", m, now)
	})
	return out, err
}

// approvalEvent records a step; with a reason it failed.
func (s *Service) approvalEvent(ctx context.Context, tx Tx, kind audit.Kind, sess Session, reason string, m Meta, now time.Time) error {
	e := s.event(kind, try{tenant: sess.Tenant, meta: m}, sess.PersonID, now)
	e.SessionID, e.Reason = sess.Hash, reason
	if reason != "" {
		e.Outcome = audit.MinorFailure
	}
	return tx.AppendAudit(ctx, e)
}

// Asking is a log-in that waits, as the other device shows it.
type Asking struct {
	ID string
	// Agent is what the browser calls itself, as "browser/system"; Network the prefix
	// of its address and Country the country of that, "" where nobody knows.
	Agent, Network, Country string
	Created                 time.Time
}

// Approvals gives the log-ins that wait for this session's device, the newest first.
// Errors: errs.Unavailable.
func (s *Service) Approvals(ctx context.Context, mine Session) ([]Asking, error) {
	now := s.now()
	if !mine.Level().Reaches(AAL2) || mine.Shared || mine.Device == "" {
		return nil, nil
	}
	open, err := s.d.Store.OpenTickets(ctx, mine.Tenant, mine.PersonID, TicketApproval, now)
	if err != nil {
		return nil, err
	}
	var out []Asking
	for _, t := range open {
		if !approver(mine, t.Browser, t.Device, now) {
			continue
		}
		a := Asking{ID: t.ID, Agent: t.Agent, Network: t.Network, Created: t.Created}
		if s.d.Places != nil {
			if place, known := s.d.Places(t.Network); known {
				a.Country = place.Country
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// AnswerApproval approves a log-in by the number that the other device shows, or denies
// it where number is empty: nothing is approved without (NI-07, SM-13). Three numbers
// are looked at. After two denials nobody is asked any more until the person signs in
// with a passkey, and the person is told (SM-15). Errors: errs.NotFound with code
// approval-over for one that is answered, late, foreign or of this device;
// errs.Unauthenticated with code session-ended or code-refused; errs.Unavailable.
func (s *Service) AnswerApproval(ctx context.Context, tenant, secret, id, number string, m Meta) error {
	now := s.now()
	var refusal error
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		refusal = nil
		mine, p, err := s.load(ctx, tx, tenant, secret, now)
		if err == nil && !s.bound(mine, m) {
			err = sessionEnded()
		}
		if err != nil {
			return err
		}
		t, err := tx.TicketByID(ctx, tenant, id)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		if err != nil || t.Kind != TicketApproval || t.PersonID != p.ID || t.State != TicketOpen || !now.Before(t.Ends) || !approver(mine, t.Browser, t.Device, now) {
			return approvalOver()
		}
		refusal, err = s.answerApproval(ctx, tx, t, mine, number, m, now)
		return err
	})
	if err == nil {
		err = refusal
	}
	return err
}

func approvalOver() error {
	return errs.New(errs.NotFound, "approval-over", "There is no such log-in to approve any more.")
}

func (s *Service) answerApproval(ctx context.Context, tx Tx, t Ticket, mine Session, number string, m Meta, now time.Time) (refusal, err error) {
	kind, reason := audit.ApprovalAnswered, ""
	t.State, t.Answered = TicketApproved, mine.Hash
	switch {
	case number == "":
		t.State, reason = TicketDenied, "approval-denied"
		if err := s.denied(ctx, tx, t.PersonID, mine.Tenant, now); err != nil {
			return nil, err
		}
	case !ids.Equal(s.numberHash(t.ID, digits(number)), t.Number):
		reason, refusal = "code-wrong", codeRefused("code-wrong")
		n, err := tx.CountFailure(ctx, t.Tenant, "approval-number:"+t.ID, now, ChallengeLife)
		if err != nil {
			return nil, err
		}
		if t.State = TicketOpen; n >= numberTries {
			t.State, refusal = TicketSpent, approvalOver()
		}
	}
	won, err := tx.MoveTicket(ctx, t, TicketOpen)
	if err == nil && !won {
		err = approvalOver()
	}
	if err != nil {
		return nil, err
	}
	return refusal, s.approvalEvent(ctx, tx, kind, mine, reason, m, now)
}

// denied counts a denial, and tells the person when the way is off.
func (s *Service) denied(ctx context.Context, tx Tx, personID, tenant string, now time.Time) error {
	n, err := tx.CountConsecutive(ctx, tenant, deniedKey(personID), now)
	if err != nil || n != denialsMost {
		return err
	}
	return s.noteSignIn(ctx, tx, tenant, personID, "approval-off", now)
}

// TakeApproval finishes or strengthens the log-in of a session that another device
// approved. The session gets a new secret; a ticket counts once. Errors:
// errs.Unauthenticated with code session-ended, approval-denied or approval-late;
// errs.Conflict with code approval-waiting while nobody has answered; errs.AccessDenied
// as for SecondFactor; errs.Unavailable.
func (s *Service) TakeApproval(ctx context.Context, tenant, secret, ticket string, m Meta) (SignInResult, error) {
	now, fresh := s.now(), s.d.Hasher.Secret(s.d.IDs)
	var out outcome
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		sess, p, err := s.load(ctx, tx, tenant, secret, now)
		if err == nil && !s.bound(sess, m) {
			err = sessionEnded()
		}
		if err == nil {
			err = s.takeTicket(ctx, tx, sess, ticket, now)
		}
		if err != nil {
			return err
		}
		known, err := s.knows(ctx, tx, tenant, p.ID, m)
		if err != nil {
			return err
		}
		u := stepUp{old: sess, person: p, fresh: fresh, try: s.codeTry(tenant, p.ID, known, m)}
		out, err = s.steppedUp(ctx, tx, u, now, methodChannel)
		return err
	})
	if err != nil {
		return SignInResult{}, err
	}
	return out.result, out.refusal
}

func (s *Service) takeTicket(ctx context.Context, tx Tx, sess Session, ticket string, now time.Time) error {
	late := errs.New(errs.Unauthenticated, "approval-late", "Nobody approved the log-in in time.")
	if _, err := s.challengeEnd(purposeApproval, sess.Hash, ticket, now); err != nil {
		return late
	}
	waiting := errs.New(errs.Conflict, "approval-waiting", "The log-in was not approved yet.")
	t, err := tx.TicketByID(ctx, sess.Tenant, s.ticketID(ticket))
	if errs.Is(err, errs.NotFound) {
		return waiting // nobody was asked
	}
	if err != nil {
		return err
	}
	switch t.State {
	case TicketOpen:
		return waiting
	case TicketApproved:
	default:
		return errs.New(errs.Unauthenticated, "approval-denied", "The log-in was not approved.")
	}
	t.State = TicketSpent
	won, err := tx.MoveTicket(ctx, t, TicketApproved)
	if err == nil && !won {
		err = late
	}
	return err
}
