package identity

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

// The tickets of codes that are sent: a code for one is none for the other, nor for
// the way back into an account (SM-12).
const (
	TicketSignIn TicketKind = "sign-in-code"
	TicketNumber TicketKind = "number-code"
)

// NoticeSentCode is the template of a message with a code. Args: way (email or sms),
// to, ticket (SentCode gives the code of it), lang, and outbox.ArgEnds. The code itself
// is stored nowhere.
const NoticeSentCode = "sent-code"

const (
	// SentLife is for how long a code that was sent may be typed (SM-11, NI-08).
	SentLife = 5 * time.Minute
	// sentTries is how many codes are looked at for one that was sent.
	sentTries = 5
)

// How many codes are sent: to one person from strange devices and from each known one,
// to one address or number over all accounts, and for one network.
var (
	sentToPerson  = Limit{Tries: 5, Window: time.Hour}
	sentToAddress = Limit{Tries: 10, Window: 24 * time.Hour}
	sentToNetwork = Limit{Tries: 60, Window: time.Hour}
)

// sending is a code that is to be sent.
type sending struct {
	kind    TicketKind
	way     FactorKind
	to      string
	session Session
	person  Person
	meta    Meta
}

// SentCode gives the eight digits of a ticket, for the message with them: only who has
// the keys of the tenant can tell.
func (s *Service) SentCode(ticket string) string {
	sum := s.d.Hasher.Sum("sent-code", ticket)
	return fmt.Sprintf("%08d", binary.BigEndian.Uint64(sum[:8])%codeRange)
}

func (s *Service) sentHash(id, code string) string { return s.d.Hasher.Hash("sent-code:"+id, code) }

// send makes a code for a session and leaves the message with it; codes before it for
// the same session and purpose die. refusal is errs.RateLimited with code
// too-many-tries: then nothing is sent.
func (s *Service) send(ctx context.Context, tx Tx, v sending, now time.Time) (refusal, err error) {
	if refusal, err = s.maySend(ctx, tx, v, now); err != nil {
		return nil, err
	}
	e := s.event(audit.CodeSent, try{tenant: v.session.Tenant, meta: v.meta}, v.person.ID, now)
	e.SessionID, e.Detail = v.session.Hash, map[string]string{"kind": string(v.way), "purpose": string(v.kind)}
	if refusal != nil {
		e.Outcome, e.Reason = audit.MinorFailure, tooManyTries
		return refusal, tx.AppendAudit(ctx, e)
	}
	if err := s.dropSent(ctx, tx, v.kind, v.session, now); err != nil {
		return nil, err
	}
	ticket := s.d.Hasher.Secret(s.d.IDs)
	id, ends := s.ticketID(ticket), now.Add(SentLife)
	err = tx.AddTicket(ctx, Ticket{
		Tenant: v.session.Tenant, ID: id, Kind: v.kind, PersonID: v.person.ID, State: TicketOpen, Created: now, Ends: ends,
		Session: v.session.Hash, Browser: v.session.Browser, Number: s.sentHash(id, s.SentCode(ticket)), Way: v.way, Address: v.to,
	})
	if err != nil {
		return nil, err
	}
	err = tx.AddNotice(ctx, outbox.Notice{
		Tenant: v.session.Tenant, ID: s.d.IDs.ID(), PersonID: v.person.ID, Template: NoticeSentCode, Created: now,
		Args: map[string]string{
			"way": string(v.way), "to": v.to, "ticket": ticket, "lang": cmp.Or(v.session.Language, v.person.Language),
			outbox.ArgEnds: ends.Format(time.RFC3339),
		},
	})
	if err != nil {
		return nil, err
	}
	return nil, tx.AppendAudit(ctx, e)
}

// maySend counts a code that is to be sent, exactly and over all nodes.
func (s *Service) maySend(ctx context.Context, tx Tx, v sending, now time.Time) (refusal, err error) {
	mine := "sent:person:" + v.person.ID
	known, err := s.knows(ctx, tx, v.session.Tenant, v.person.ID, v.meta)
	if err != nil {
		return nil, err
	}
	if known {
		// Who knows the password elsewhere must not use up what is sent for the owner.
		mine += ":" + s.device(v.meta.Device)
	}
	for _, l := range []keyed{
		{key: mine, Limit: sentToPerson},
		{key: "sent:to:" + s.d.Hasher.Hash("sent-to", strings.ToLower(v.to)), Limit: sentToAddress},
		{key: "sent:network:" + AddressPrefix(v.meta.Address), Limit: sentToNetwork},
	} {
		n, err := tx.CountFailure(ctx, v.session.Tenant, l.key, now, l.Window)
		if err != nil {
			return nil, err
		}
		if n > l.Tries {
			refusal = s.tooMany(sentToPerson.Window)
		}
	}
	return refusal, nil
}

// ofSession gives the codes that were sent for a session and purpose and not used.
func ofSession(ctx context.Context, tx Tickets, kind TicketKind, v Session, now time.Time) ([]Ticket, error) {
	open, err := tx.OpenTickets(ctx, v.Tenant, v.PersonID, kind, now)
	return slices.DeleteFunc(open, func(t Ticket) bool { return t.Session != v.Hash || t.Browser != v.Browser }), err
}

func (s *Service) dropSent(ctx context.Context, tx Tx, kind TicketKind, v Session, now time.Time) error {
	open, err := ofSession(ctx, tx, kind, v, now)
	if err != nil {
		return err
	}
	for _, t := range open {
		t.State = TicketSpent
		if _, err := tx.MoveTicket(ctx, t, TicketOpen); err != nil {
			return err
		}
	}
	return nil
}

// takeSent uses up the code that was sent for a session and purpose, and gives its
// ticket, or the reason why what was typed is none. Five tries are looked at; then it
// is spent.
func (s *Service) takeSent(ctx context.Context, tx Tx, kind TicketKind, v Session, code string, now time.Time) (t Ticket, reason string, err error) {
	open, err := ofSession(ctx, tx, kind, v, now)
	if err != nil || len(open) == 0 {
		return t, "code-wrong", err
	}
	t = open[0]
	n, err := tx.CountFailure(ctx, t.Tenant, "sent:ticket:"+t.ID, now, SentLife)
	if err != nil {
		return t, "", err
	}
	right := n <= sentTries && ids.Equal(s.sentHash(t.ID, digits(code)), t.Number)
	if !right && n < sentTries {
		return t, "code-wrong", nil
	}
	t.State = TicketSpent
	won, err := tx.MoveTicket(ctx, t, TicketOpen)
	if err == nil && (!right || !won) {
		reason = "code-wrong"
	}
	return t, reason, err
}

// unfinished loads a log-in that waits for its second factor. Errors:
// errs.Unauthenticated with code session-ended.
func (s *Service) unfinished(ctx context.Context, tx Tx, tenant, secret string, m Meta, now time.Time) (Session, Person, error) {
	sess, p, err := s.load(ctx, tx, tenant, secret, now)
	if err == nil && (!s.bound(sess, m) || sess.Level() != "") {
		err = sessionEnded()
	}
	return sess, p, err
}

// SendSignInCode sends a code with which a log-in that waits for its second factor can
// be finished, at AAL1. It lives for SentLife, once, for this session and this purpose,
// and the one before it dies (SM-11, SM-12). Errors: errs.Unauthenticated with code
// session-ended; errs.Conflict with code code-unavailable where the person has no such
// way; errs.RateLimited with code too-many-tries; errs.Unavailable.
func (s *Service) SendSignInCode(ctx context.Context, tenant, secret string, way FactorKind, m Meta) error {
	now := s.now()
	own, err := s.ownMailbox(ctx, tenant, secret, now)
	if err != nil {
		return err
	}
	var refusal error
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		sess, p, err := s.unfinished(ctx, tx, tenant, secret, m, now)
		if err != nil {
			return err
		}
		factors, err := tx.Factors(ctx, tenant, p.ID)
		if err != nil {
			return err
		}
		to := s.reaches(p, way, factors, own, now)
		if to == "" {
			return errs.New(errs.Conflict, "code-unavailable", "No code can be sent to this person in this way.")
		}
		refusal, err = s.send(ctx, tx, sending{kind: TicketSignIn, way: way, to: to, session: sess, person: p, meta: m}, now)
		return err
	})
	if err == nil {
		err = refusal
	}
	return err
}

// reaches gives where codes of a person go in a way, "" where it is not open to them.
// own is their mailbox.
func (s *Service) reaches(p Person, way FactorKind, factors []Factor, own string, now time.Time) string {
	if s.allows(p, way, factors) != nil {
		return ""
	}
	for _, f := range factors {
		facts, ok := f.restricted()
		switch {
		case !ok || f.Kind != way || now.Before(facts.Usable):
		case way != FactorEmail:
			return facts.Number
		case checkedMailbox(factors, now) == own:
			return own
		}
	}
	return ""
}

// sentWays gives the ways in which the code of an unfinished log-in can be sent.
func (s *Service) sentWays(ctx context.Context, sess Session, p Person, factors []Factor, now time.Time) (email, sms bool, err error) {
	if sess.Level() != "" {
		return false, false, nil
	}
	own, err := s.mailbox(ctx, p, factors, now)
	if err != nil {
		return false, false, err
	}
	reached := func(way FactorKind) bool { return s.reaches(p, way, factors, own, now) != "" }
	return reached(FactorEmail), reached(FactorSMS), nil
}

// FinishWithSentCode finishes a log-in by a code of SendSignInCode; the session reaches
// AAL1, and acr and amr say so. Errors: as SecondFactor.
func (s *Service) FinishWithSentCode(ctx context.Context, tenant, secret, code string, m Meta) (SignInResult, error) {
	now, fresh := s.now(), s.d.Hasher.Secret(s.d.IDs)
	own, err := s.ownMailbox(ctx, tenant, secret, now)
	if err != nil {
		return SignInResult{}, err
	}
	var out outcome
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		old, p, err := s.unfinished(ctx, tx, tenant, secret, m, now)
		if errs.Is(err, errs.Unauthenticated) {
			out = outcome{refusal: err}
			return nil
		}
		if err != nil {
			return err
		}
		known, err := s.knows(ctx, tx, tenant, p.ID, m)
		if err != nil {
			return err
		}
		out, err = s.secondFactor(ctx, tx, stepUp{
			old: old, person: p, code: code, fresh: fresh, sent: true, mailbox: own,
			try: s.newTry(tenant, "sent", s.d.Hasher.Hash("person", p.ID), known, m),
		}, now)
		return err
	})
	if err != nil {
		return SignInResult{}, err
	}
	return out.result, out.refusal
}

// checkSent is checkCode for codes that were sent; it gives what amr says of the way.
func (s *Service) checkSent(ctx context.Context, tx Tx, u stepUp, now time.Time) (proven []string, reason string, err error) {
	t, reason, err := s.takeSent(ctx, tx, TicketSignIn, u.old, u.code, now)
	if err != nil || reason != "" {
		return nil, reason, err
	}
	// What was open when the code was sent may have been taken away since.
	factors, err := tx.Factors(ctx, t.Tenant, t.PersonID)
	if err != nil || s.reaches(u.person, t.Way, factors, u.mailbox, now) != t.Address {
		return nil, "code-unavailable", err
	}
	// Who reads somebody's messages must not come in unnoticed.
	return t.Way.proves(), "", s.noteSignIn(ctx, tx, t.Tenant, t.PersonID, "sent-code", now)
}
