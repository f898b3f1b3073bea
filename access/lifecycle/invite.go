package lifecycle

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/proxy"
)

// TemplateInvitation is the notice that carries an invitation to an address; its
// Args are "to", the address, "link" and "lang".
const TemplateInvitation = "proxy.invitation"

// Invite begins a case of the actor's own record and sends the link to the
// address (LC-01). again invites although somebody of the same name is there
// already. Errors: errs.Invalid as of proxy.Invite; errs.Conflict with code
// proxy-similar; errs.Forbidden with code no-own-record.
func (s *Service) Invite(ctx context.Context, a Actor, in proxy.Invitation, again bool) (proxy.Case, error) {
	patient := own(a.Person)
	if patient == "" {
		return proxy.Case{}, errs.New(errs.Forbidden, "no-own-record", "This account has no health record of its own.")
	}
	return s.begin(ctx, a, patient, in, func(tx Tx, c proxy.Case) error {
		others, err := tx.CasesOfPatient(ctx, s.Tenant, patient)
		if err != nil {
			return err
		}
		for _, o := range others {
			if o.State == proxy.StateBlocked && similar(o, c) {
				return errs.New(errs.Conflict, "proxy-blocked", "You have shut this person out. Take that back first.")
			}
			if !again && !o.At(s.now()).Over() && similar(o, c) {
				return errs.New(errs.Conflict, "proxy-similar", "Somebody with this name or address is there already.")
			}
		}
		return nil
	})
}

// Register begins a case for a patient who does not do it: a guardian, an agent,
// a parent, an executor (LC-18, LC-25). The member of staff passes the code on. The
// patient is told. Errors: of proxy.Invite; errs.Forbidden with code proxy-self.
func (s *Service) Register(ctx context.Context, a Actor, patient string, in proxy.Invitation) (proxy.Case, error) {
	if err := notAboutSelf(a, patient); err != nil {
		return proxy.Case{}, err
	}
	return s.begin(ctx, a, patient, in, func(tx Tx, c proxy.Case) error {
		return s.tellPatient(ctx, tx, c, "proxy.registered")
	})
}

// begin stores a new case of the patient and sends the link, after what else
// belongs to its transaction.
func (s *Service) begin(ctx context.Context, a Actor, patient string, in proxy.Invitation, also func(Tx, proxy.Case) error) (proxy.Case, error) {
	c, err := proxy.Invite(in, s.Tenant, s.IDs.ID(), patient, s.signed(a))
	if err != nil {
		return proxy.Case{}, err
	}
	secret := s.Hasher.Secret(s.IDs)
	c.Secret = s.secretHash(secret)
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		if err := also(tx, c); err != nil {
			return err
		}
		fresh := c
		if err := s.put(ctx, tx, &fresh, a); err != nil {
			return err
		}
		return s.send(ctx, tx, c, secret, a.Person.Language)
	})
	c.Version = 1
	return c, err
}

func similar(a, b proxy.Case) bool {
	return identity.FoldUsername(a.Name) == identity.FoldUsername(b.Name) || a.SameAddress(b.Email)
}

// Resend sends a fresh link; the one before is dead.
func (s *Service) Resend(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	secret := s.Hasher.Secret(s.IDs)
	return s.step(ctx, id, a, patientsCase,
		func(c proxy.Case) (proxy.Case, error) { return c.Resend(s.secretHash(secret), s.signed(a)) },
		func(ctx context.Context, tx Tx, c *proxy.Case) error {
			return s.send(ctx, tx, *c, secret, a.Person.Language)
		})
}

func (s *Service) send(ctx context.Context, tx Tx, c proxy.Case, secret, lang string) error {
	return tx.AddNotice(ctx, outbox.Notice{
		Tenant: s.Tenant, Template: TemplateInvitation, Created: s.now(),
		Args: map[string]string{"to": c.Email, "link": s.Link(secret), "lang": lang},
	})
}

func (s *Service) secretHash(secret string) string { return s.Hasher.Hash("invitation", secret) }

// Code gives the six digits that the patient tells the invited person by another
// way than the letter.
func (s *Service) Code(c proxy.Case) string {
	sum := s.Hasher.At(c.InviteEnds.Add(-proxy.InviteLife)).Sum("invitation-code", c.ID+"|"+c.Secret)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum)%1_000_000)
}

// Answer is what an invited person answers to the invitation.
type Answer struct {
	// Secret is from the link, Email and Code as typed.
	Secret, Email, Code string
}

// refused is the one answer to a link that leads nowhere, an address that is not
// the invited one and a code that is wrong.
func refused() error {
	return errs.New(errs.Unauthenticated, "invitation-refused", "This does not fit. Check the address and the code, or ask for a new invitation.")
}

// Check judges an answer. A wrong one is counted; after five the link is dead.
// Errors: errs.Unauthenticated with code invitation-refused.
func (s *Service) Check(ctx context.Context, in Answer, a Actor) (proxy.Case, error) {
	var out proxy.Case
	good := false
	err := s.Tx.InTx(ctx, func(tx Tx) error {
		good = false
		c, err := tx.CaseBySecret(ctx, s.Tenant, s.secretHash(in.Secret))
		if errs.Is(err, errs.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if good = c.Open(s.now()) && c.SameAddress(in.Email) && ids.Equal(s.Code(c), in.Code); good || !c.Open(s.now()) {
			out = c
			return nil
		}
		c.Tries++
		before := c.Version
		c.Version++
		if err := tx.PutCase(ctx, c, before); err != nil {
			return err
		}
		e := a.Origin
		e.Tenant, e.Time, e.Kind, e.Action, e.Outcome = s.Tenant, s.now(), audit.ProxyStep, "E", audit.MinorFailure
		e.Patient, e.Reason, e.Detail = c.Patient, "invitation-refused", map[string]string{"case": c.ID, "act": string(proxy.ActAccept)}
		return tx.AppendAudit(ctx, e)
	})
	if err == nil && !good {
		err = refused()
	}
	return out, err
}

// AuthenticatorQR gives the same as a picture, which a code app reads (PNG). It holds
// the secret. Errors: errs.Internal.
func (s *Service) AuthenticatorQR(in Answer) ([]byte, error) {
	return s.Accounts.CodeQR(in.Email, s.Authenticator(in))
}

// Authenticator gives the secret that an invited person puts into the code app:
// always the same for one invitation, so that a reloaded page shows it again.
func (s *Service) Authenticator(in Answer) string {
	sum := s.Hasher.Sum("invitation-authenticator", in.Secret)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20])
}

// Enrol is a new account of an invited person.
type Enrol struct {
	Answer
	Username, Password string
	// OneTime is the code that the code app shows.
	OneTime  string
	Language string
}

// Enrol makes an own account with two factors for an invited person and gives it
// the case (LC-02): it can see nothing yet. Errors: those of Check;
// errs.Unauthenticated with code code-refused; errs.Conflict with code
// account-exists; errs.Invalid for an unfit username or password.
func (s *Service) Enrol(ctx context.Context, in Enrol, a Actor) (identity.Person, error) {
	c, err := s.Check(ctx, in.Answer, a)
	if err != nil {
		return identity.Person{}, err
	}
	secret := s.Authenticator(in.Answer)
	if ok, err := s.Accounts.CodeFits(secret, in.OneTime); err != nil || !ok {
		if err == nil {
			err = errs.New(errs.Unauthenticated, "code-refused", "The code is not right or was used before.")
		}
		return identity.Person{}, err
	}
	ready, err := s.Accounts.Prepare(ctx, identity.NewAccount{
		Person:   identity.Person{Tenant: s.Tenant, Username: in.Username, Name: c.Name, Role: identity.RoleProxy, Language: in.Language},
		Password: in.Password, TOTPSecret: secret,
	})
	if err != nil {
		return identity.Person{}, err
	}
	err = s.Tx.InTx(ctx, func(tx Tx) error {
		if err := s.Accounts.CreateTx(ctx, tx, ready); err != nil {
			return err
		}
		return s.accept(ctx, tx, in.Answer, ready.Person, a.Origin)
	})
	return ready.Person, err
}

// Accept gives a case to the account that is signed in. Errors: those of Check;
// errs.Forbidden with code proxy-self for the patient.
func (s *Service) Accept(ctx context.Context, in Answer, a Actor) error {
	c, err := s.Check(ctx, in, a)
	if err != nil {
		return err
	}
	if c.Patient == own(a.Person) {
		return errs.New(errs.Forbidden, "proxy-self", "Nobody helps with the own record.")
	}
	return s.Tx.InTx(ctx, func(tx Tx) error { return s.accept(ctx, tx, in, a.Person, a.Origin) })
}

// accept links an account: the relation is made, and is not in force.
func (s *Service) accept(ctx context.Context, tx Tx, in Answer, p identity.Person, origin audit.Event) error {
	c, err := tx.CaseBySecret(ctx, s.Tenant, s.secretHash(in.Secret))
	if errs.Is(err, errs.NotFound) || err == nil && !c.Open(s.now()) {
		return refused()
	}
	if err != nil {
		return err
	}
	a := Actor{Person: p, Origin: origin}
	if c, err = c.Accept(p.ID, s.signed(a)); err != nil {
		return err
	}
	if err := s.relate(ctx, tx, &c, a, false); err != nil {
		return err
	}
	if err := s.stillBarred(ctx, tx, c, a); err != nil {
		return err
	}
	if err := s.link(ctx, tx, c, false, a); err != nil {
		return err
	}
	if err := s.tellPatient(ctx, tx, c, "proxy.accepted"); err != nil {
		return err
	}
	return s.put(ctx, tx, &c, a)
}

// link adds the relation to the account, or marks it as proofed.
func (s *Service) link(ctx context.Context, tx Tx, c proxy.Case, verified bool, a Actor) error {
	p, err := tx.PersonByID(ctx, s.Tenant, c.PersonID)
	if err != nil {
		return err
	}
	ref, found := fhir.Reference{Type: "RelatedPerson", ID: c.RelationID}, false
	list := make([]identity.Identity, 0, len(p.Identities)+1)
	for _, i := range p.Identities {
		if i.Resource == ref {
			found, i.Verified = true, verified
		}
		list = append(list, i)
	}
	if !found {
		list = append(list, identity.Identity{Resource: ref, Patient: c.Patient, Verified: verified})
	}
	p.Identities = list
	if err := tx.PutPerson(ctx, p); err != nil {
		return err
	}
	if err := s.human(ctx, tx, p); err != nil {
		return err
	}
	e := a.Origin
	e.Tenant, e.Time, e.Kind, e.Action, e.Outcome = s.Tenant, s.now(), audit.PersonSaved, "U", audit.Success
	e.PersonID, e.Patient, e.Resource = a.Person.ID, c.Patient, ref
	e.Detail = map[string]string{"account": p.ID, "role": string(p.Role)}
	return tx.AppendAudit(ctx, e)
}

// relate stores the RelatedPerson of the case, in force or not.
func (s *Service) relate(ctx context.Context, tx Tx, c *proxy.Case, a Actor, active bool) error {
	saving := proxy.Saving{Tenant: s.Tenant, Origin: a.Origin}
	saving.Origin.PersonID = a.Person.ID
	if c.RelationID == "" {
		c.RelationID = s.IDs.ID()
	} else {
		last, err := tx.RelatedPersonByID(ctx, s.Tenant, c.RelationID)
		if err != nil {
			return err
		}
		saving.IfVersion = last.Version
	}
	saving.ID = c.RelationID
	var ended time.Time
	if c.State.Over() {
		ended = s.now()
	}
	raw, err := c.Resource(active, ended)
	if err != nil {
		return err
	}
	saving.Raw = raw
	_, err = s.Proxies.SaveTx(ctx, tx, saving)
	return err
}
