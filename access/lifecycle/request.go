package lifecycle

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
)

// seekAtOnce is how many requests one look takes: each may hold files.
const seekAtOnce = 3

// Petition is what somebody asks who is no party of a case (LC-04).
type Petition struct {
	Sought             proxy.Sought
	Relationship, Kind string
	Files              []evidence.File
}

// Request keeps what the actor asks, and does nothing else: whether there is such a
// patient is looked for later, so that neither the answer nor its time tells. Errors:
// of proxy.Request.Valid; errs.Conflict with code request-many.
func (s *Service) Request(ctx context.Context, a Actor, in Petition) error {
	r := proxy.Request{
		Tenant: s.Tenant, ID: s.IDs.ID(), Version: 1, Person: a.Person.ID, Open: true, Created: s.now(), Due: s.now().Add(proxy.RequestLife),
		Name: a.Person.Name, Sought: in.Sought, Relationship: in.Relationship, Kind: in.Kind,
	}
	if err := r.Valid(); err != nil {
		return err
	}
	for _, f := range in.Files {
		r.Files = append(r.Files, proxy.RequestFile(f))
	}
	return s.Tx.InTx(ctx, func(tx Tx) error {
		before, err := tx.RequestsOfPerson(ctx, s.Tenant, a.Person.ID)
		if err != nil {
			return err
		}
		if s.running(before) >= proxy.MaxRequests {
			return errs.New(errs.Conflict, "request-many", "There are as many requests as one account may have.")
		}
		if err := tx.PutRequest(ctx, r, 0); err != nil {
			return err
		}
		e := a.Origin
		e.Tenant, e.Time, e.Kind, e.Outcome, e.Action = s.Tenant, s.now(), audit.ProxyStep, audit.Success, "C"
		e.PersonID, e.Detail = a.Person.ID, map[string]string{"act": string(proxy.ActRequest), "request": r.ID}
		return tx.AppendAudit(ctx, e)
	})
}

func (s *Service) running(all []proxy.Request) (n int) {
	for _, r := range all {
		if s.now().Before(r.Due) {
			n++
		}
	}
	return n
}

// Asked gives what the actor asked for, the newest first. It says nothing of what
// became of it.
func (s *Service) Asked(ctx context.Context, a Actor) ([]proxy.Request, error) {
	all, err := s.Requests.RequestsOfPerson(ctx, s.Tenant, a.Person.ID)
	var out []proxy.Request
	for _, r := range all {
		if s.now().Before(r.Due) {
			r.Open, r.Files, r.Version = false, nil, 0
			out = append(out, r)
		}
	}
	return out, err
}

// Seek looks for the patients of requests, and begins the case of each that fits one.
// What fits none leaves no trace but its line, which ends by itself; its files go at
// once. Errors: errs.Unavailable, errs.Upstream: then it is tried again.
func (s *Service) Seek(ctx context.Context) error {
	for {
		open, err := s.Requests.RequestsOpen(ctx, s.Tenant, seekAtOnce)
		if err != nil {
			return err
		}
		for _, r := range open {
			patient, err := s.Find(ctx, r.Sought)
			if err != nil {
				return err
			}
			able, err := s.grown(ctx, patient)
			if err != nil {
				return err
			}
			err = s.Tx.InTx(ctx, func(tx Tx) error { return s.sought(ctx, tx, r, patient, able) })
			if err != nil && !errs.Is(err, errs.PreconditionFailed) {
				return err
			}
		}
		if len(open) < seekAtOnce {
			return nil
		}
	}
}

// grown reports whether a patient is old enough to be asked.
func (s *Service) grown(ctx context.Context, patient string) (bool, error) {
	if patient == "" {
		return false, nil
	}
	w, err := s.ward(ctx, patient)
	return w.Band(s.now()) != proxy.BandChild, err
}

// sought notes that a request was looked for, with what came of it.
func (s *Service) sought(ctx context.Context, tx Tx, r proxy.Request, patient string, able bool) error {
	files, before := r.Files, r.Version
	r.Open, r.Files, r.Version = false, nil, before+1
	if err := tx.PutRequest(ctx, r, before); err != nil || patient == "" {
		return err
	}
	p, err := tx.PersonByID(ctx, s.Tenant, r.Person)
	if errs.Is(err, errs.NotFound) || err == nil && (p.Disabled || own(p) == patient) {
		return nil
	}
	if err != nil {
		return err
	}
	all, err := tx.CasesOfPatient(ctx, s.Tenant, patient)
	if err != nil {
		return err
	}
	if idle, err := s.pointless(ctx, tx, r, all); idle || err != nil {
		return err
	}
	asking, err := s.asking(ctx, tx, patient, able, all)
	if err != nil {
		return err
	}
	return s.knock(ctx, tx, proxy.Requested(r, s.IDs.ID(), patient, asking, s.now()), r.Kind, files, Actor{Person: p})
}

// pointless reports whether a request leads nowhere: the patient shut the person out,
// or there is a way to the record already.
func (s *Service) pointless(ctx context.Context, tx Tx, r proxy.Request, all []proxy.Case) (bool, error) {
	theirs, err := tx.CasesOfPerson(ctx, s.Tenant, r.Person)
	if err != nil {
		return false, err
	}
	for _, o := range all {
		same := o.Who() == r.Person
		for _, t := range theirs {
			same = same || o.SamePerson(t)
		}
		named := o.Who() == "" && identity.FoldUsername(o.Name) == identity.FoldUsername(r.Name)
		if same && !o.At(s.now()).Over() || (same || named) && o.State == proxy.StateBlocked {
			return true, nil
		}
	}
	return false, nil
}

// asking reports whether a patient can be asked: there is an account, the patient is
// no child, lives, and no two clinicians found that the patient cannot decide.
func (s *Service) asking(ctx context.Context, tx Tx, patient string, able bool, all []proxy.Case) (bool, error) {
	for _, o := range all {
		if o.DeathNoted() || o.Unable(s.now()) {
			able = false
		}
	}
	if !able {
		return false, nil
	}
	p, err := tx.PersonByIdentity(ctx, s.Tenant, fhir.Reference{Type: "Patient", ID: patient})
	if errs.Is(err, errs.NotFound) {
		return false, nil
	}
	return !p.Disabled, err
}

// knock begins the case of a request, with its files under the patient's key. Until
// somebody lets the person go on, nothing names the account that could tell of it.
func (s *Service) knock(ctx context.Context, tx Tx, c proxy.Case, kind string, files []proxy.RequestFile, a Actor) error {
	sheets := make([]evidence.File, 0, len(files))
	for _, f := range files {
		sheets = append(sheets, evidence.File(f))
	}
	c.Papers = papersOf(c, kind, sheets)
	for i := range c.Papers {
		c.Papers[i].Signed = c.Invited
	}
	if err := s.keepPapers(ctx, tx, c, c.Papers, sheets, a); err != nil {
		return err
	}
	if err := s.put(ctx, tx, &c, a); err != nil || !c.Asking {
		return err
	}
	return s.tellPatient(ctx, tx, c, "proxy.requested")
}

// Welcome lets somebody go on who asked (LC-04), by the patient. Nothing is open by
// it: identity, authority and agreement still lie ahead.
func (s *Service) Welcome(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, patientsCase, func(c proxy.Case) (proxy.Case, error) { return c.Welcome(s.signed(a)) }, s.welcomed(a))
}

// Admit is Welcome by staff, for a patient who cannot be asked or gave no answer.
// Errors: errs.Forbidden with code request-asked while the patient is asked.
func (s *Service) Admit(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, staffsCase, func(c proxy.Case) (proxy.Case, error) {
		if c.Asking {
			return c, errs.New(errs.Forbidden, "request-asked", "The patient is asked first.")
		}
		return c.Welcome(s.signed(a))
	}, s.welcomed(a))
}

// welcomed makes the relation and links the account, neither in force.
func (s *Service) welcomed(a Actor) then {
	return func(ctx context.Context, tx Tx, c *proxy.Case) error {
		if err := s.relate(ctx, tx, c, a, false); err != nil {
			return err
		}
		if err := s.stillBarred(ctx, tx, *c, a); err != nil {
			return err
		}
		if err := s.link(ctx, tx, *c, false, a); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, *c, "proxy.welcomed"); err != nil {
			return err
		}
		return s.tellPatient(ctx, tx, *c, "proxy.changed")
	}
}

// Refuse is the patient's no to somebody who asked: nobody tells them.
func (s *Service) Refuse(ctx context.Context, a Actor, id string) (proxy.Case, error) {
	return s.step(ctx, id, a, patientsCase, func(c proxy.Case) (proxy.Case, error) { return c.Refuse(s.signed(a)) })
}

// tendRequest is what time does to a request: staff look at it when the patient says
// nothing, and it ends when nobody answered.
func (s *Service) tendRequest(ctx context.Context, tx Tx, c proxy.Case, now time.Time) (err error) {
	if now.Before(c.InviteEnds) {
		c, err = c.PassOn(now)
	} else {
		c, err = c.Forget(now)
	}
	if err != nil {
		return err
	}
	return s.put(ctx, tx, &c, s.clock())
}
