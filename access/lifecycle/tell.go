package lifecycle

import (
	"context"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/proxy"
)

// Templates of news about what a proxy does with the record.
const (
	templateFirst = "proxy.first-use"
	templateDay   = "proxy.day"
	templateSaved = "proxy.saved"
)

// newsOf gives the kind of news of a template.
func newsOf(template string) proxy.News {
	switch template {
	case templateFirst:
		return proxy.NewsFirst
	case templateDay:
		return proxy.NewsDay
	case templateSaved:
		return proxy.NewsDownload
	}
	return proxy.NewsAccess
}

// tell leaves a notice for the account of the proxy, in the transaction of its
// cause. The notice names the case and nothing else: who and whose are told behind
// the log-in, to the parties of the case. During a hold nothing is left.
func (s *Service) tell(ctx context.Context, tx Tx, c proxy.Case, template string) error {
	return s.leave(ctx, tx, c, c.PersonID, template, nil)
}

// tellPatient is tell for the account of the patient, if there is one.
func (s *Service) tellPatient(ctx context.Context, tx Tx, c proxy.Case, template string) error {
	return s.tellPatientOf(ctx, tx, c, template, nil)
}

func (s *Service) tellPatientOf(ctx context.Context, tx Tx, c proxy.Case, template string, args map[string]string) error {
	p, err := tx.PersonByIdentity(ctx, s.Tenant, fhir.Reference{Type: "Patient", ID: c.Patient})
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.leave(ctx, tx, c, p.ID, template, args)
}

func (s *Service) leave(ctx context.Context, tx Tx, c proxy.Case, person, template string, args map[string]string) error {
	if person == "" || !proxy.Tell(hearing(c, template)).Portal {
		return nil
	}
	if c.ID == "" {
		return s.tellAccount(ctx, tx, person, template)
	}
	all := map[string]string{outbox.ArgCase: c.ID}
	for k, v := range args {
		all[k] = v
	}
	return tx.AddNotice(ctx, outbox.Notice{Tenant: s.Tenant, PersonID: person, Template: template, Args: all, Created: s.now()})
}

// tellAccount leaves a notice for somebody who is no party of a case: it says that
// there is something, and nothing of whom it is about.
func (s *Service) tellAccount(ctx context.Context, tx Tx, person, template string) error {
	return tx.AddNotice(ctx, outbox.Notice{Tenant: s.Tenant, PersonID: person, Template: template, Created: s.now()})
}

func hearing(c proxy.Case, template string) proxy.Hearing {
	return proxy.Hearing{News: newsOf(template), Choice: c.Telling(), Held: c.Held()}
}

// Manner decides how a notice is told now, before it leaves the portal. address is
// where an e-mail would go, others are the addresses of those who act for the
// patient; what they wrote on invitations is added here. Errors: errs.Unavailable.
func (s *Service) Manner(ctx context.Context, to identity.Person, n outbox.Notice, address string, others []string) (proxy.Manner, error) {
	h := proxy.Hearing{News: proxy.NewsAccount, Address: address, Others: others}
	if id := n.Args[outbox.ArgCase]; id != "" {
		c, err := s.Read.CaseByID(ctx, s.Tenant, id)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return proxy.Manner{}, err
		}
		h.News, h.Choice, h.Held = newsOf(n.Template), c.Telling(), c.Held()
	}
	circle, err := s.around(ctx, to)
	for _, c := range circle {
		h.Others = append(h.Others, c.Email)
	}
	return proxy.Tell(h), err
}

// around gives the cases about the person's own record, whatever their state: who
// once had access may still know a mailbox.
func (s *Service) around(ctx context.Context, p identity.Person) ([]proxy.Case, error) {
	patient := own(p)
	if patient == "" {
		return nil, nil
	}
	return s.Read.CasesOfPatient(ctx, s.Tenant, patient)
}

// Around gives the accounts of those who act or acted for the person.
func (s *Service) Around(ctx context.Context, p identity.Person) ([]string, error) {
	circle, err := s.around(ctx, p)
	var out []string
	for _, c := range circle {
		if c.PersonID != "" && c.PersonID != p.ID {
			out = append(out, c.PersonID)
		}
	}
	return out, err
}

// Choose stores how much the patient hears of what one person does. Errors:
// errs.NotFound; errs.Invalid with code proxy-telling; errs.PreconditionFailed.
func (s *Service) Choose(ctx context.Context, a Actor, id, choice string) error {
	what := proxy.Told(choice)
	return s.Tx.InTx(ctx, func(tx Tx) error {
		c, err := patientsCase(ctx, tx, s.Tenant, id, a)
		if err != nil || c.Tell == what {
			return err
		}
		if c.Tell = what; c.Telling() != what {
			return errs.New(errs.Invalid, "proxy-telling", "Choose one from the list.")
		}
		before := c.Version
		if what == proxy.ToldDaily || what == proxy.ToldDownloads {
			c.Heard = s.now() // what was before is not told again
		}
		c.Version++
		if err := tx.PutCase(ctx, c, before); err != nil {
			return err
		}
		e := a.Origin
		e.Tenant, e.Time, e.Kind, e.Outcome, e.Action = s.Tenant, s.now(), audit.ProxyStep, audit.Success, "U"
		e.PersonID, e.Patient = a.Person.ID, c.Patient
		e.Detail = map[string]string{"case": c.ID, "act": "tell", "tell": string(what), "version": strconv.Itoa(c.Version)}
		return tx.AppendAudit(ctx, e)
	})
}

// Tellings are the choices of Choose.
func Tellings() []proxy.Told { return proxy.Tellings() }

// Heard gives the cases about the actor's own record that have or may get access:
// those of which news of use can come.
func (s *Service) Heard(ctx context.Context, a Actor) ([]proxy.Case, error) {
	circle, err := s.around(ctx, a.Person)
	return slices.DeleteFunc(circle, func(c proxy.Case) bool { return c.At(s.now()).Over() }), err
}

// MessageCase gives the case that a message is about to one of its parties. Errors:
// errs.NotFound for anybody else.
func (s *Service) MessageCase(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	c, err := s.Read.CaseByID(ctx, s.Tenant, id)
	switch {
	case errs.Is(err, errs.NotFound):
		return proxy.Case{}, unknown()
	case err != nil:
		return proxy.Case{}, err
	case c.PersonID == a.Person.ID || own(a.Person) != "" && c.Patient == own(a.Person):
		return c, nil
	}
	return proxy.Case{}, unknown()
}
