package identity

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
)

const (
	// maxName is the longest name of an authenticator, in characters.
	maxName = 60
	// maxPasskeys is how many one account may have.
	maxPasskeys = 20
	handleBytes = 32
)

// NoticeFactor is the template of the notice that an authenticator was enrolled,
// removed or locked.
const NoticeFactor = "factor-changed"

// manager is a person about to change authenticators.
type manager struct {
	session Session
	person  Person
	factors []Factor
}

// manage loads who wants to change authenticators, and refuses a log-in that is
// too old or weaker than the account allows. Errors: errs.Unauthenticated with
// code session-ended or step-up-needed; errs.Unavailable.
func (s *Service) manage(ctx context.Context, st Ports, tenant, secret string, now time.Time) (m manager, err error) {
	if m.session, m.person, err = s.load(ctx, st, tenant, secret, now); err != nil {
		return m, err
	}
	if m.factors, err = st.Factors(ctx, tenant, m.person.ID); err != nil {
		return m, err
	}
	if !MayManage(m.session, m.factors, now) || s.d.Policy.guarded(m.person, m.session, m.factors) {
		return m, errs.New(errs.Unauthenticated, "step-up-needed", "This needs a fresh log-in.")
	}
	return m, nil
}

// ManagedFactors gives the authenticators of a session's person, oldest first.
// Errors: errs.Unauthenticated with code session-ended; errs.Unavailable.
func (s *Service) ManagedFactors(ctx context.Context, tenant, secret string) ([]Factor, error) {
	_, p, err := s.load(ctx, s.d.Store, tenant, secret, s.now())
	if err != nil {
		return nil, err
	}
	all, err := s.d.Store.Factors(ctx, tenant, p.ID)
	return slices.DeleteFunc(all, func(f Factor) bool { return f.Kind == FactorContact }), err
}

// BeginPasskey gives the options with which a browser makes a passkey. Errors:
// errs.Unauthenticated with code session-ended or step-up-needed; errs.Invalid
// with code passkey-answer where there are none; errs.Unavailable.
func (s *Service) BeginPasskey(ctx context.Context, tenant, secret, binding string) ([]byte, error) {
	now := s.now()
	m, err := s.manage(ctx, s.d.Store, tenant, secret, now)
	if err != nil {
		return nil, err
	}
	if s.d.Passkeys == nil || binding == "" {
		return nil, errs.New(errs.Invalid, "passkey-answer", "This server has no passkeys.")
	}
	who := PasskeyOwner{Name: m.person.Username, Handle: s.handle(m.person), Attest: s.d.Policy.Keys.Attests(m.person)}
	who.Keys, _ = passkeysOf(m.factors)
	return s.d.Passkeys.Creation(s.newChallenge(purposeEnrol, binding, now), who)
}

// handle is what authenticators call a person: it tells nothing, is another one
// at another tenant, and does not change with the keys of the tenant.
func (s *Service) handle(p Person) []byte {
	return s.d.Hasher.At(p.Created).Sum("passkey-handle", p.ID)[:handleBytes]
}

// AddPasskey enrols the passkey that a browser made (SM-03). Errors:
// errs.Unauthenticated with code session-ended, step-up-needed or
// passkey-refused; errs.Invalid with code passkey-answer or factor-name;
// errs.Forbidden as KeyRules.Judge; errs.Conflict with code factor-exists or
// factors-many; errs.Unavailable.
func (s *Service) AddPasskey(ctx context.Context, tenant, secret, binding, name string, answer []byte, m Meta) (Factor, error) {
	now := s.now()
	if s.d.Passkeys == nil {
		return Factor{}, errs.New(errs.Invalid, "passkey-answer", "This server has no passkeys.")
	}
	name, err := factorName(name)
	if err != nil {
		return Factor{}, err
	}
	challenge, _, err := s.d.Passkeys.Claimed(answer)
	if err != nil {
		return Factor{}, err
	}
	end, err := s.challengeEnd(purposeEnrol, binding, challenge, now)
	if err != nil {
		return Factor{}, errs.Wrap(err, errs.Unauthenticated, "passkey-refused", "The passkey was not accepted.")
	}
	var f Factor
	err = s.d.Tx.InTx(ctx, func(tx Tx) error {
		who, err := s.manage(ctx, tx, tenant, secret, now)
		if err != nil {
			return err
		}
		if f, err = s.newPasskey(who, name, challenge, answer, now); err != nil {
			return err
		}
		if err := s.spend(ctx, tx, tenant, challenge, end); errs.Is(err, errs.Unauthenticated) {
			return errs.Wrap(err, errs.Unauthenticated, "passkey-refused", "The passkey was not accepted.")
		} else if err != nil {
			return err
		}
		if err := tx.AddFactor(ctx, f); err != nil {
			return err
		}
		return s.factorChanged(ctx, tx, change{kind: audit.FactorAdded, factor: f, outcome: audit.Success, meta: m, session: who.session.Hash}, now)
	})
	return f, err
}

func (s *Service) newPasskey(who manager, name, challenge string, answer []byte, now time.Time) (Factor, error) {
	if keys, _ := passkeysOf(who.factors); len(keys) >= maxPasskeys {
		return Factor{}, errs.New(errs.Conflict, "factors-many", "This account has as many passkeys as it may have.")
	}
	k, err := s.d.Passkeys.Register(challenge, s.handle(who.person), answer)
	if err != nil {
		return Factor{}, err
	}
	if err := s.d.Policy.Keys.Judge(who.person, k); err != nil {
		return Factor{}, err
	}
	kept, err := json.Marshal(k)
	if err != nil {
		return Factor{}, errs.Wrap(err, errs.Internal, "passkey-record", "A passkey cannot be stored.")
	}
	return Factor{
		Tenant: who.person.Tenant, ID: passkeyID(k.ID), PersonID: who.person.ID, Kind: FactorPasskey, Secret: kept,
		Counter: k.Counter, Created: now, Name: name, BackedUp: k.BackedUp,
	}, nil
}

// factorName gives the name that a person chose, in NFC without outer spaces.
func factorName(name string) (string, error) {
	name = norm.NFC.String(strings.Join(strings.Fields(name), " "))
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName {
		return "", errs.New(errs.Invalid, "factor-name", "A name has at most 60 characters.")
	}
	return name, nil
}

// RenameFactor gives an authenticator another name. Errors: errs.NotFound;
// errs.Invalid with code factor-name; errs.Unauthenticated with code
// session-ended or step-up-needed; errs.Unavailable.
func (s *Service) RenameFactor(ctx context.Context, tenant, secret, id, name string, m Meta) error {
	name, err := factorName(name)
	if err != nil {
		return err
	}
	return s.changeFactor(ctx, tenant, secret, id, m, func(tx Tx, who manager, f Factor) (change, error) {
		f.Name = name
		return change{kind: audit.FactorChanged, factor: f, quiet: true}, tx.NoteFactor(ctx, f)
	})
}

// RemoveFactor removes a second factor or a link. Somebody who needs one keeps the
// last. Other sessions that came by a link end with it.
// Errors: errs.NotFound; errs.Conflict with code factor-last;
// errs.Unauthenticated with code session-ended or step-up-needed;
// errs.Unavailable.
func (s *Service) RemoveFactor(ctx context.Context, tenant, secret, id string, m Meta) error {
	now := s.now()
	return s.changeFactor(ctx, tenant, secret, id, m, func(tx Tx, who manager, f Factor) (change, error) {
		if !MayRemove(who.person, f, who.factors) {
			return change{}, errs.New(errs.Conflict, "factor-last", "The last second factor of this account cannot be removed.")
		}
		if err := s.endLinked(ctx, tx, who.session, f, m); err != nil {
			return change{}, err
		}
		if _, err := tx.RemoveFactor(ctx, tenant, f.ID); err != nil {
			return change{}, err
		}
		return change{kind: audit.FactorRemoved, factor: f}, s.dropBackups(ctx, tx, who, f, m, now)
	})
}

// changeFactor changes one factor of the session's person, and tells of it.
func (s *Service) changeFactor(ctx context.Context, tenant, secret, id string, m Meta, do func(Tx, manager, Factor) (change, error)) error {
	now := s.now()
	return s.d.Tx.InTx(ctx, func(tx Tx) error {
		who, err := s.manage(ctx, tx, tenant, secret, now)
		if err != nil {
			return err
		}
		for _, f := range who.factors {
			if f.ID != id || !f.Kind.Managed() {
				continue
			}
			c, err := do(tx, who, f)
			if err != nil {
				return err
			}
			c.outcome, c.meta, c.session = audit.Success, m, who.session.Hash
			return s.factorChanged(ctx, tx, c, now)
		}
		return errs.New(errs.NotFound, "factor-not-found", "There is no such authenticator.")
	})
}

// change is what happened to an authenticator.
type change struct {
	kind    audit.Kind
	factor  Factor
	outcome audit.Outcome
	reason  string
	meta    Meta
	session string
	// detail is told beside the factor and its kind.
	detail map[string]string
	// quiet changes need no notice.
	quiet bool
}

// factorChanged writes the event and tells the person (ASVS 6.3.7).
func (s *Service) factorChanged(ctx context.Context, tx Tx, c change, now time.Time) error {
	e := s.event(c.kind, try{tenant: c.factor.Tenant, meta: c.meta}, c.factor.PersonID, now)
	e.Outcome, e.Reason, e.SessionID = c.outcome, c.reason, c.session
	e.Detail = map[string]string{"factor": c.factor.ID, "kind": string(c.factor.Kind)}
	maps.Copy(e.Detail, c.detail)
	if !c.quiet {
		err := tx.AddNotice(ctx, outbox.Notice{
			Tenant: c.factor.Tenant, ID: s.d.IDs.ID(), PersonID: c.factor.PersonID, Template: NoticeFactor,
			Args: map[string]string{"what": string(c.kind), "kind": string(c.factor.Kind)}, Created: now,
		})
		if err != nil {
			return err
		}
	}
	return tx.AppendAudit(ctx, e)
}
