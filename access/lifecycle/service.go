package lifecycle

import (
	"context"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/law"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/proxy"
)

// Tx is what the use-cases see of the store inside one transaction.
type Tx interface {
	identity.Tx
	consent.Store
	consent.Campaigns
	evidence.Store
	proxy.Store
	proxy.Requests
	matter.Store
	Ends
	// AddNotice stores a notice in the transaction of its cause.
	AddNotice(ctx context.Context, n outbox.Notice) error
}

// Deps are the neighbours.
type Deps struct {
	// Read serves reads outside of a transaction.
	Read     proxy.Cases
	Requests proxy.Requests
	Evidence evidence.Reader
	// Log tells what people looked at.
	Log audit.Reader
	// Reviews serves reads of matters outside of a transaction.
	Reviews matter.Store
	// Validator checks records of other systems.
	Validator Validator
	Tx        txn.Runner[Tx]
	Consents  *consent.Service
	Proxies   *proxy.Service
	// Accounts makes accounts of the tenant.
	Accounts *identity.Service
	Clock    clock.Clock
	IDs      ids.Source
	// Hasher keys what is secret about an invitation.
	Hasher ids.Hasher
	Tenant string
	// Organization is named by Consents; zero leaves it out.
	Organization fhir.Reference
	// Zone is where the days of people begin and end; nil means UTC.
	Zone *time.Location
	// Labelling classifies for previews what its source did not label; nil
	// classifies nothing.
	Labelling *access.Labelling
	// Law is what holds where the patients live; Born gives the birth date of a
	// patient (LC-20, LC-21).
	Law  *law.Law
	Born func(ctx context.Context, patient string) (string, error)
	// Find gives the one patient whom all that was typed fits, "" for none and for
	// several (LC-04).
	Find func(ctx context.Context, n proxy.Sought) (string, error)
	// Bereavement is for how many days an access stays narrowed after a death; 0
	// lets it rest at once (LC-23).
	Bereavement int
	// Officers gives the accounts that are told when somebody says that something is
	// wrong; nil tells nobody beyond the work queue.
	Officers func(ctx context.Context) ([]string, error)
	// Link gives the address of an invitation.
	Link func(secret string) string
}

// Service holds the use-cases of one tenant. It is safe for concurrent use.
type Service struct{ Deps }

// New makes the service.
func New(d Deps) *Service {
	if d.Zone == nil {
		d.Zone = time.UTC
	}
	return &Service{Deps: d}
}

// Actor is who does something, with where it comes from.
type Actor struct {
	Person identity.Person
	// Origin prepares the audit event: session, network, request.
	Origin audit.Event
	// Client is the client that acts, where no person does: a feed.
	Client string
	// Agreed is the page on which the person agrees or takes back; nil without one.
	Agreed *Agreement
	// Dictated is how the patient told staff, who act; nil where nobody did.
	Dictated *Dictation
}

func (s *Service) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) signed(a Actor) proxy.Signed {
	by := a.Person.ID
	if a.Client != "" {
		by = "client:" + a.Client
	}
	return proxy.Signed{By: by, At: s.now()}
}

// own gives the id of the person's own record, "" without one.
func own(p identity.Person) string {
	for _, i := range p.Identities {
		if i.Verified && i.Resource.Type == "Patient" {
			return i.Resource.ID
		}
	}
	return ""
}

// unknown is the one answer to whoever may not know of a case.
func unknown() error {
	return errs.New(errs.NotFound, "proxy-case-not-found", "There is no such person.")
}

// patientsCase gives a case about the actor's own record. Errors: errs.NotFound
// for any other.
func patientsCase(ctx context.Context, tx proxy.Cases, tenant, id string, a Actor) (proxy.Case, error) {
	c, err := tx.CaseByID(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) || err == nil && (own(a.Person) == "" || c.Patient != own(a.Person)) {
		return proxy.Case{}, unknown()
	}
	return c, err
}

// proxysCase gives a case of which the actor is the proxy.
func proxysCase(ctx context.Context, tx proxy.Cases, tenant, id string, a Actor) (proxy.Case, error) {
	c, err := tx.CaseByID(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) || err == nil && (c.PersonID == "" || c.PersonID != a.Person.ID) {
		return proxy.Case{}, unknown()
	}
	return c, err
}

// staffsCase gives a case to a member of staff who is not part of it.
func staffsCase(ctx context.Context, tx proxy.Cases, tenant, id string, a Actor) (proxy.Case, error) {
	c, err := tx.CaseByID(ctx, tenant, id)
	switch {
	case errs.Is(err, errs.NotFound):
		return proxy.Case{}, unknown()
	case err != nil:
		return proxy.Case{}, err
	case !Clinical(a.Person):
		return proxy.Case{}, ErrNotClinical
	case c.Who() == a.Person.ID || c.Patient == own(a.Person):
		return proxy.Case{}, errs.New(errs.Forbidden, "proxy-self", "Somebody else must handle what is about yourself.")
	}
	return c, nil
}

// ErrNotClinical refuses everybody who is not Clinical.
var ErrNotClinical = errs.New(errs.Forbidden, "staff-page", "This is for staff who care for patients.")

// notAboutSelf lets staff who care for patients act for any patient but themselves.
// Errors: errs.Forbidden with code staff-page or proxy-self.
func notAboutSelf(a Actor, patient string) error {
	switch {
	case !Clinical(a.Person):
		return ErrNotClinical
	case patient == own(a.Person):
		return errs.New(errs.Forbidden, "proxy-self", "Somebody else must handle what is about yourself.")
	}
	return nil
}

// Clinical reports whether an account is of staff who care for patients.
func Clinical(p identity.Person) bool { return p.Role == identity.RoleClinician && !p.Disabled }

// find gives a case to somebody who may act on it.
type find func(ctx context.Context, tx proxy.Cases, tenant, id string, a Actor) (proxy.Case, error)

// then writes what hangs on a step that was taken.
type then = func(context.Context, Tx, *proxy.Case) error

// step takes one step of a case that was found: change gives the next value, and
// after writes what hangs on it. Errors: of the machine; errs.NotFound,
// errs.PreconditionFailed.
func (s *Service) step(ctx context.Context, id string, a Actor, f find, change func(proxy.Case) (proxy.Case, error), after ...then) (proxy.Case, error) {
	var out proxy.Case
	err := s.agreeing(ctx, a, func(tx Tx) error {
		c, err := f(ctx, tx, s.Tenant, id, a)
		if err != nil {
			return err
		}
		if out, err = change(c); err != nil {
			return err
		}
		for _, do := range after {
			if err := do(ctx, tx, &out); err != nil {
				return err
			}
		}
		return s.put(ctx, tx, &out, a)
	})
	return out, err
}

// put stores the case with the event and the records of its last step.
func (s *Service) put(ctx context.Context, tx Tx, c *proxy.Case, a Actor) error {
	before := c.Version
	c.Version++
	c.Due = c.NextDue(s.now())
	if err := tx.PutCase(ctx, *c, before); err != nil {
		return err
	}
	last := c.Steps[len(c.Steps)-1]
	e := a.Origin
	e.Tenant, e.Time, e.Kind, e.Outcome, e.Action = s.Tenant, last.At, audit.ProxyStep, audit.Success, "U"
	if before == 0 {
		e.Action = "C"
	}
	e.PersonID, e.Patient = a.Person.ID, c.Patient
	if c.RelationID != "" {
		e.Resource = fhir.Reference{Type: "RelatedPerson", ID: c.RelationID}
	}
	e.Detail = map[string]string{"case": c.ID, "act": string(last.Act), "from": string(last.From), "to": string(last.To), "version": strconv.Itoa(c.Version)}
	if last.Reason != "" {
		e.Detail["why"] = last.Reason
	}
	if err := tx.AppendAudit(ctx, e); err != nil {
		return err
	}
	return s.witness(ctx, tx, *c, a)
}
