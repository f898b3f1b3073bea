package identity

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// TakeBedside binds an enrolment to the device that types its code, and gives the id
// by which that device goes on. A code works once, for one browser, and not for that
// of a witness. Errors: errs.Unauthenticated with code bedside-code, the same for a
// code that is wrong, used or late; errs.Conflict with code bedside-device for the
// device of a witness or of somebody who helps with the record; errs.RateLimited with
// code too-many-tries; errs.Unavailable.
func (s *Service) TakeBedside(ctx context.Context, tenant, code, binding string, m Meta) (string, error) {
	now := s.now()
	var (
		id      string
		refusal error
	)
	helped, err := s.helperTakes(ctx, tenant, code, m, now)
	if err != nil {
		return "", err
	}
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		t, reason, err := s.takeBedside(ctx, tx, tenant, code, binding, helped, m, now)
		if err != nil {
			return err
		}
		id, refusal = t.ID, nil
		switch reason {
		case "":
		case tooManyTries:
			refusal = s.tooMany(bedsideGuesses.Window)
		case "bedside-device":
			refusal = errs.New(errs.Conflict, "bedside-device", "Another device has to be used.")
		default:
			refusal = errs.New(errs.Unauthenticated, "bedside-code", "This code does not work, or does not work any more.")
		}
		t.Tenant = tenant
		return s.bedsideEvent(ctx, tx, t, Witnessing{}, "taken", reason, m, now)
	})
	if err == nil {
		err = refusal
	}
	return id, err
}

// helperTakes reports whether the device is that of somebody who helps with the record.
// It is asked outside of the transaction: who helps is read over another connection.
func (s *Service) helperTakes(ctx context.Context, tenant, code string, m Meta, now time.Time) (bool, error) {
	folded := foldBedside(code)
	if folded == "" {
		return false, nil
	}
	_, p, err := s.bedside(ctx, s.d.Store, tenant, s.bedsideID(folded), now)
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.helpedDevice(ctx, s.d.Store, p, m)
}

// takeBedside gives what was taken, or the reason why nothing was.
func (s *Service) takeBedside(ctx context.Context, tx Tx, tenant, code, binding string, helped bool, m Meta, now time.Time) (t Ticket, reason string, err error) {
	// Every try counts, also a good one: no own code buys guesses of others.
	n, err := tx.CountFailure(ctx, tenant, "bedside-code:"+AddressPrefix(m.Address), now, bedsideGuesses.Window)
	if err != nil || n > bedsideGuesses.Tries {
		return t, tooManyTries, err
	}
	folded := foldBedside(code)
	if folded == "" || binding == "" {
		return t, "code-wrong", nil
	}
	t, _, err = s.bedside(ctx, tx, tenant, s.bedsideID(folded), now)
	if errs.Is(err, errs.NotFound) || err == nil && t.State != TicketOpen {
		return Ticket{}, "code-wrong", nil
	}
	if err != nil {
		return t, "", err
	}
	browser := s.browser(m.Browser)
	if helped || browser != "" && slices.ContainsFunc(t.Bedside.Witnesses, func(w Witness) bool { return w.Browser == browser }) {
		return t, "bedside-device", nil
	}
	t.State, t.Browser, t.Bedside.Shared = TicketTaken, s.bedsideDevice(binding), m.Shared
	won, err := tx.MoveTicket(ctx, t, TicketOpen)
	if err == nil && !won {
		return Ticket{}, "code-wrong", nil
	}
	return t, "", err
}

// BedsideHere gives the enrolment that this browser has begun. Errors: errs.NotFound
// with code bedside-over; errs.Unavailable.
func (s *Service) BedsideHere(ctx context.Context, tenant, id, binding string) (Ticket, Person, error) {
	return s.bedsideHere(ctx, s.d.Store, tenant, id, binding, s.now())
}

func (s *Service) bedsideHere(ctx context.Context, st Ports, tenant, id, binding string, now time.Time) (Ticket, Person, error) {
	t, p, err := s.bedside(ctx, st, tenant, id, now)
	if err == nil && (binding == "" || !ids.Equal(t.Browser, s.bedsideDevice(binding))) {
		err = bedsideOver()
	}
	if err != nil {
		return Ticket{}, Person{}, err
	}
	return t, p, nil
}

// BedsidePasskey gives the options with which the patient's browser makes a passkey,
// nil where there are none. Errors: errs.Unavailable.
func (s *Service) BedsidePasskey(ctx context.Context, t Ticket, p Person, binding string) ([]byte, error) {
	if s.d.Passkeys == nil {
		return nil, nil
	}
	all, err := s.d.Store.Factors(ctx, p.Tenant, p.ID)
	if err != nil {
		return nil, err
	}
	who := PasskeyOwner{Name: p.Username, Handle: s.handle(p), Attest: s.d.Policy.Keys.Attests(p)}
	who.Keys, _ = passkeysOf(all)
	return s.d.Passkeys.Creation(s.newChallenge(purposeBedside, t.ID+"."+binding, s.now()), who)
}

// BedsideChoice is what the patient chose on their device: a passkey, or a password.
type BedsideChoice struct {
	Binding string
	Answer  []byte
	Name    string
	// Password is for who has no passkey; Answer is empty then.
	Password string
}

// MakeBedside keeps what the patient chose until the witnesses have confirmed it: it
// opens nothing before. Errors: errs.NotFound with code bedside-over; errs.Invalid as
// of FitPassword or with code passkey-answer; errs.Unauthenticated with code
// passkey-refused; errs.Forbidden as KeyRules.Judge or with code bedside-key-only for
// people at risk; errs.Conflict with code factor-exists, factors-many or
// bedside-shared-key for a passkey that would stay on a device of the ward;
// errs.Unavailable.
func (s *Service) MakeBedside(ctx context.Context, tenant, id string, c BedsideChoice, m Meta) error {
	now := s.now()
	t, p, err := s.BedsideHere(ctx, tenant, id, c.Binding)
	if err == nil && t.State != TicketTaken {
		err = bedsideOver()
	}
	if err != nil {
		return err
	}
	all, err := s.d.Store.Factors(ctx, tenant, p.ID)
	if err != nil {
		return err
	}
	f, challenge, err := s.chosen(ctx, t, p, all, c, now)
	if err != nil {
		return err
	}
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		fresh, _, err := s.bedsideHere(ctx, tx, tenant, id, c.Binding, now)
		if err != nil {
			return err
		}
		if challenge != "" {
			if err := s.spend(ctx, tx, tenant, challenge, claimedEnd(challenge)); err != nil {
				return passkeyRefused(err)
			}
		}
		fresh.State, fresh.Bedside.Factor = TicketMade, f
		if err := s.moveBedside(ctx, tx, fresh, TicketTaken); err != nil {
			return err
		}
		return s.bedsideEvent(ctx, tx, fresh, Witnessing{}, "made", "", m, now)
	})
}

func passkeyRefused(err error) error {
	if errs.Is(err, errs.Unauthenticated) {
		return errs.Wrap(err, errs.Unauthenticated, "passkey-refused", "The passkey was not accepted.")
	}
	return err
}

// chosen makes the factor of a choice, and gives the challenge that it answers.
func (s *Service) chosen(ctx context.Context, t Ticket, p Person, all []Factor, c BedsideChoice, now time.Time) (Factor, string, error) {
	if len(c.Answer) == 0 {
		f, err := s.chosenPassword(ctx, p, all, c.Password, now)
		return f, "", err
	}
	if s.d.Passkeys == nil {
		return Factor{}, "", errs.New(errs.Invalid, "passkey-answer", "This server has no passkeys.")
	}
	name, err := factorName(c.Name)
	if err != nil {
		return Factor{}, "", err
	}
	challenge, _, err := s.d.Passkeys.Claimed(c.Answer)
	if err != nil {
		return Factor{}, "", err
	}
	if _, err := s.challengeEnd(purposeBedside, t.ID+"."+c.Binding, challenge, now); err != nil {
		return Factor{}, "", passkeyRefused(err)
	}
	f, err := s.newPasskey(manager{person: p, factors: all}, name, challenge, c.Answer, now)
	if err != nil {
		return Factor{}, "", err
	}
	if k, _ := f.Passkey(); t.Bedside.Shared && slices.Contains(k.Transports, "internal") {
		return Factor{}, "", errs.New(errs.Conflict, "bedside-shared-key", "A passkey must not stay on a device that others use.")
	}
	_, err = s.d.Store.FactorByID(ctx, p.Tenant, f.ID)
	switch {
	case errs.Is(err, errs.NotFound):
		return f, challenge, nil
	case err == nil:
		err = errs.New(errs.Conflict, "factor-exists", "This passkey is enrolled already.")
	}
	return Factor{}, "", err
}

func (s *Service) chosenPassword(ctx context.Context, p Person, all []Factor, password string, now time.Time) (Factor, error) {
	if p.HighRisk {
		return Factor{}, errs.New(errs.Forbidden, "bedside-key-only", "This account needs a passkey that stays on its device.")
	}
	if err := FitPassword(p, all, password); err != nil {
		return Factor{}, err
	}
	hash, err := s.d.Passwords.Hash(ctx, password)
	return Factor{Tenant: p.Tenant, ID: s.d.IDs.ID(), PersonID: p.ID, Kind: FactorPassword, Secret: hash, Created: now}, err
}

// StopBedside ends an enrolment on the patient's device. It is no error when there is
// none. Errors: errs.Unavailable.
func (s *Service) StopBedside(ctx context.Context, tenant, id, binding string, m Meta) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		t, _, err := s.bedsideHere(ctx, tx, tenant, id, binding, now)
		if errs.Is(err, errs.NotFound) || err == nil && !t.State.Pending() {
			return nil
		}
		if err != nil {
			return err
		}
		return s.closeBedside(ctx, tx, t, TicketDenied, Witnessing{}, "stopped", m, now)
	})
}

// BedsideCodes gives the recovery codes to who chose a password before witnesses, on
// the same device and once. Codes of before are over. Errors: errs.NotFound with code
// bedside-over; errs.Unavailable.
func (s *Service) BedsideCodes(ctx context.Context, tenant, id, binding string, m Meta) ([]string, error) {
	now := s.now()
	codes, f, err := s.freshCodes(tenant, now)
	if err != nil {
		return nil, err
	}
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		t, p, err := s.bedsideHere(ctx, tx, tenant, id, binding, now)
		if err == nil && (t.State != TicketApproved || t.Bedside.Factor.Kind != FactorPassword) {
			err = bedsideOver()
		}
		if err != nil {
			return err
		}
		t.State, t.Bedside.Codes = TicketSpent, now
		if err := s.moveBedside(ctx, tx, t, TicketApproved); err != nil {
			return err
		}
		all, err := tx.Factors(ctx, tenant, p.ID)
		if err != nil {
			return err
		}
		mine := f
		mine.PersonID = p.ID
		if err := s.replaceCodes(ctx, tx, all, mine); err != nil {
			return err
		}
		c := change{kind: audit.FactorAdded, factor: mine, outcome: audit.Success, reason: reasonBedside, meta: m}
		return s.factorChanged(ctx, tx, c, now)
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}
