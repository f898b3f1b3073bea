package identity

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// Codes that are sent. Whoever reads a mailbox or takes over a telephone number has
// them too, so they are restricted (NI-07, SM-09): beside another second factor only,
// and for what a password alone opens to those who have no second factor.
const (
	FactorEmail FactorKind = "email"
	FactorSMS   FactorKind = "sms"
)

// What amr says of them. RFC 8176 has no value for e-mail, and "otp" would let apps
// believe in a second factor, which SP 800-63B-4 §3.1.3.1 says e-mail is not.
const (
	methodSMS   = "sms"
	methodEmail = "urn:mandate:amr:email"
)

// RestrictedNotice is the version of what people read before they accept such codes.
const RestrictedNotice = "1"

// Restricted reports whether a factor of this kind is only a way of last resort.
func (k FactorKind) Restricted() bool { return k == FactorEmail || k == FactorSMS }

// proves gives what amr says of a code that was sent.
func (k FactorKind) proves() []string {
	if k == FactorSMS {
		return []string{methodOTP, methodSMS}
	}
	return []string{methodEmail}
}

func restrictedMethod(m string) bool { return m == methodSMS || m == methodEmail }

// stronger leaves out of the methods what a new proof takes the place of: the session
// is as strong as its last proof, and what was proven now is not known to come from the
// device that was there before.
func stronger(used []string) []string {
	bySMS := slices.Contains(used, methodSMS)
	return slices.DeleteFunc(slices.Clone(used), func(m string) bool {
		return m == methodPossession || restrictedMethod(m) || bySMS && m == methodOTP
	})
}

// restrictedFacts is what is kept of such a factor.
type restrictedFacts struct {
	// Number is E.164, for FactorSMS.
	Number string `json:"number,omitempty"`
	// Usable is from when on codes go there.
	Usable time.Time `json:"usable,omitzero"`
	// Accepted is when the person accepted the risk, Notice the version of what they
	// read.
	Accepted time.Time `json:"accepted"`
	Notice   string    `json:"notice"`
}

func (f Factor) restricted() (facts restrictedFacts, ok bool) {
	ok = f.Kind.Restricted() && json.Unmarshal(f.Secret, &facts) == nil
	return facts, ok
}

// NumberEnding gives the last four digits of a telephone number and from when on codes
// go there; "" for another factor.
func (f Factor) NumberEnding() (digits string, from time.Time) {
	facts, ok := f.restricted()
	if !ok || len(facts.Number) < 4 {
		return "", time.Time{}
	}
	return facts.Number[len(facts.Number)-4:], facts.Usable
}

// phoneNumber gives a number as E.164: "+", the country and 8 to 15 digits in all.
func phoneNumber(typed string) (string, error) {
	n := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "/", "", "\u00a0", "").Replace(typed)
	if rest, ok := strings.CutPrefix(n, "00"); ok {
		n = "+" + rest
	}
	bad := len(n) < 9 || len(n) > 16 || n[0] != '+' || n[1] == '0' || strings.Trim(n[1:], "0123456789") != ""
	if bad {
		return "", errs.New(errs.Invalid, "number-unfit", "A telephone number begins with + and the code of its country, and has 8 to 15 digits.")
	}
	return n, nil
}

// allows says why codes of a kind are not for somebody, nil when they are. They give
// AAL1, so they are for those only whose own record AAL1 opens, by the table of
// assurance, and never for people at particular risk, whom somebody may press. Errors:
// errs.Forbidden with code restricted-off or restricted-role; errs.Conflict with code
// restricted-first.
func (s *Service) allows(p Person, kind FactorKind, factors []Factor) error {
	switch {
	case !slices.Contains(s.d.Policy.Sent, kind):
		return errs.New(errs.Forbidden, "restricted-off", "This server sends no such codes.")
	case p.HighRisk || p.Role.NeedsSecondFactor() || !AAL1.Reaches(Demanded(s.d.Policy.Demands, Ask{Action: ActLook, Role: p.Role}).Level):
		return errs.New(errs.Forbidden, "restricted-role", "Codes by e-mail or SMS are too weak for this account.")
	case !slices.ContainsFunc(factors, func(f Factor) bool { return f.Kind.Second() && f.Locked == "" }):
		return errs.New(errs.Conflict, "restricted-first", "Codes by e-mail or SMS are a backup: a passkey or a code app comes first.")
	}
	return nil
}

// enrolling judges who wants codes of a kind. Errors: those of manage and allows;
// errs.Invalid with code restricted-unaccepted; errs.Conflict with code factors-many.
func (s *Service) enrolling(ctx context.Context, tx Tx, tenant, secret string, kind FactorKind, accepted bool, now time.Time) (manager, error) {
	who, err := s.manage(ctx, tx, tenant, secret, now)
	if err == nil {
		err = s.allows(who.person, kind, who.factors)
	}
	if err == nil && !accepted {
		err = errs.New(errs.Invalid, "restricted-unaccepted", "The risk of such codes has to be accepted first.")
	}
	if err == nil && slices.ContainsFunc(who.factors, func(f Factor) bool { return f.Kind == kind }) {
		err = errs.New(errs.Conflict, "factors-many", "This account has as many authenticators as it may have.")
	}
	return who, err
}

// AddEmailCodes lets codes be sent to the address that the person has checked (SM-09).
// accepted says that they read RestrictedNotice and take the risk. Errors:
// errs.Unauthenticated with code session-ended or step-up-needed; errs.Forbidden with
// code restricted-off or restricted-role; errs.Conflict with code restricted-first,
// contact-needed or factors-many; errs.Invalid with code restricted-unaccepted;
// errs.Unavailable.
func (s *Service) AddEmailCodes(ctx context.Context, tenant, secret string, accepted bool, m Meta) error {
	now := s.now()
	own, err := s.ownMailbox(ctx, tenant, secret, now)
	if err != nil {
		return err
	}
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		who, err := s.enrolling(ctx, tx, tenant, secret, FactorEmail, accepted, now)
		if err != nil {
			return err
		}
		if own == "" || checkedMailbox(who.factors, now) != own {
			return errs.New(errs.Conflict, "contact-needed", "An e-mail address that is the person's own has to be checked first.")
		}
		return s.addRestricted(ctx, tx, who, FactorEmail, restrictedFacts{Accepted: now, Notice: RestrictedNotice}, m, now)
	})
}

// checkedMailbox gives the address that somebody has checked and whose cooling is over,
// "" for none.
func checkedMailbox(factors []Factor, now time.Time) string {
	var all []Contact
	for _, f := range factors {
		if c, ok := f.contact(); ok {
			all = append(all, c)
		}
	}
	return Current(all, now)
}

// mailbox gives the address to which codes of a person go, "" for none: the checked one,
// when such codes are for the person and nobody who helps is known to use it. That is asked over a connection of its own,
// so never within a transaction.
func (s *Service) mailbox(ctx context.Context, p Person, factors []Factor, now time.Time) (string, error) {
	to := checkedMailbox(factors, now)
	if to == "" || s.allows(p, FactorEmail, factors) != nil {
		return "", nil
	}
	if s.d.Shared == nil {
		return to, nil
	}
	foreign, err := s.d.Shared(ctx, p, to)
	if foreign {
		to = ""
	}
	return to, err
}

// ownMailbox is mailbox for the person of a session, "" where there is none: the
// transaction that comes says why.
func (s *Service) ownMailbox(ctx context.Context, tenant, secret string, now time.Time) (string, error) {
	_, p, err := s.load(ctx, s.d.Store, tenant, secret, now)
	if errs.Is(err, errs.Unauthenticated) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	factors, err := s.d.Store.Factors(ctx, tenant, p.ID)
	if err != nil {
		return "", err
	}
	return s.mailbox(ctx, p, factors, now)
}

// addRestricted stores what was accepted, and tells of it.
func (s *Service) addRestricted(ctx context.Context, tx Tx, who manager, kind FactorKind, facts restrictedFacts, m Meta, now time.Time) error {
	kept, err := json.Marshal(facts)
	if err != nil {
		return errs.Wrap(err, errs.Internal, "factor-record", "An authenticator cannot be stored.")
	}
	f := Factor{Tenant: who.person.Tenant, ID: s.d.IDs.ID(), PersonID: who.person.ID, Kind: kind, Secret: kept, Created: now}
	if err := tx.AddFactor(ctx, f); err != nil {
		return err
	}
	return s.factorChanged(ctx, tx, change{
		kind: audit.FactorAdded, factor: f, outcome: audit.Success, meta: m, session: who.session.Hash,
		detail: map[string]string{"restricted": "accepted", "notice": facts.Notice},
	}, now)
}

// SendNumberCode sends a code to a telephone number, to show that the person reads
// what is sent there; the code before it dies. Errors: as AddEmailCodes but
// contact-needed; errs.Invalid with code number-unfit; errs.RateLimited with code
// too-many-tries.
func (s *Service) SendNumberCode(ctx context.Context, tenant, secret, number string, accepted bool, m Meta) error {
	now := s.now()
	number, err := phoneNumber(number)
	if err != nil {
		return err
	}
	var refusal error
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		who, err := s.enrolling(ctx, tx, tenant, secret, FactorSMS, accepted, now)
		if err != nil {
			return err
		}
		refusal, err = s.send(ctx, tx, sending{
			kind: TicketNumber, way: FactorSMS, to: number, session: who.session, person: who.person, meta: m,
		}, now)
		return err
	})
	if err == nil {
		err = refusal
	}
	return err
}

// AddNumber takes the code that was sent to a number. Codes go there after
// ContactCooling; until then the person, who is told, may take it away. Errors:
// errs.Unauthenticated with code code-refused, session-ended or step-up-needed;
// errs.RateLimited with code too-many-tries; errs.Forbidden and errs.Conflict as
// AddEmailCodes; errs.Unavailable.
func (s *Service) AddNumber(ctx context.Context, tenant, secret, code string, m Meta) error {
	now := s.now()
	var refusal error
	err := s.d.Tx.InTx(ctx, func(tx Tx) error {
		refusal = nil
		who, err := s.enrolling(ctx, tx, tenant, secret, FactorSMS, true, now)
		if err != nil {
			return err
		}
		t, reason, err := s.takeSent(ctx, tx, TicketNumber, who.session, code, now)
		if err != nil {
			return err
		}
		if reason != "" {
			refusal = codeRefused(reason)
			e := s.event(audit.StepUpFailed, try{tenant: tenant, meta: m}, who.person.ID, now)
			e.SessionID, e.Outcome, e.Reason = who.session.Hash, audit.MinorFailure, reason
			return tx.AppendAudit(ctx, e)
		}
		return s.addRestricted(ctx, tx, who, FactorSMS, restrictedFacts{
			Number: t.Address, Usable: now.Add(ContactCooling), Accepted: t.Created, Notice: RestrictedNotice,
		}, m, now)
	})
	if err == nil {
		err = refusal
	}
	return err
}

// Offered gives the kinds of codes that somebody may add now, and why the others are
// not for them: the code of the refusal by kind; kinds that they have are left out.
func (s *Service) Offered(p Person, factors []Factor) (may []FactorKind, not map[FactorKind]string) {
	not = map[FactorKind]string{}
	for _, kind := range s.d.Policy.Sent {
		if slices.ContainsFunc(factors, func(f Factor) bool { return f.Kind == kind }) {
			continue
		}
		if err := s.allows(p, kind, factors); err != nil {
			not[kind] = errs.As(err).Code
			continue
		}
		may = append(may, kind)
	}
	return may, not
}

// dropBackups takes the codes that are sent away with the last factor beside which they
// may stand: they are never the only ones (SM-09).
func (s *Service) dropBackups(ctx context.Context, tx Tx, who manager, gone Factor, m Meta, now time.Time) error {
	rest := slices.DeleteFunc(slices.Clone(who.factors), func(f Factor) bool { return f.ID == gone.ID })
	if !gone.Kind.Second() || slices.ContainsFunc(rest, func(f Factor) bool { return f.Kind.Second() && f.Locked == "" }) {
		return nil
	}
	for _, f := range rest {
		if !f.Kind.Restricted() {
			continue
		}
		if _, err := tx.RemoveFactor(ctx, f.Tenant, f.ID); err != nil {
			return err
		}
		err := s.factorChanged(ctx, tx, change{
			kind: audit.FactorRemoved, factor: f, outcome: audit.Success, reason: "restricted-first", meta: m, session: who.session.Hash, quiet: true,
		}, now)
		if err != nil {
			return err
		}
	}
	return nil
}
