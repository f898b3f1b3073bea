package desk

import (
	"context"
	"net/http"
	"strconv"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// Names gives the names that pages need.
type Names interface {
	Patient(ctx context.Context, id string) (upstream.Demographics, error)
	PersonByID(ctx context.Context, tenant, id string) (identity.Person, error)
}

// Desk is what every page works with.
type Desk struct {
	Names     Names
	Kit       *pages.Kit
	Session   *session.Manager
	Page      func(http.ResponseWriter, *http.Request, error)
	RequestID func(*http.Request) string
	Clock     clock.Clock
}

// Serve answers a request of somebody who is signed in.
type Serve func(http.ResponseWriter, *http.Request, session.Identity) error

// Signed hands the identity to a page and shows what it refuses; Require ran before
// it.
func (d Desk) Signed(f Serve) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := session.From(r)
		if err := f(w, r, id); err != nil {
			d.Page(w, r, err)
		}
	})
}

// Posted is Signed for a form: its token is checked before anything else.
func (d Desk) Posted(f Serve) http.Handler {
	return d.Signed(func(w http.ResponseWriter, r *http.Request, id session.Identity) error {
		if err := d.Session.Check(r, session.PurposePage); err != nil {
			return err
		}
		return f(w, r, id)
	})
}

// Clinical turns away everybody but staff who care for patients, before they are asked
// for a second factor.
func (d Desk) Clinical(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, in := session.From(r); in && !lifecycle.Clinical(id.Person) {
			d.Page(w, r, lifecycle.ErrNotClinical)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Frame gives the parts that all pages share; back is the path of the page before.
func (d Desk) Frame(r *http.Request, id session.Identity, back string) pages.Frame {
	return pages.Frame{
		Lang: d.Kit.Lang(r), SignedInAs: id.Person.Name, CSRF: d.Session.Token(r, session.PurposePage),
		BackURL: d.Session.Path(back), Now: d.Clock.Now(), Staff: id.Person.Role.Staff(),
		SessionEnds: id.Session.IdleEnds, StayURL: d.Session.Path(pages.StayPath),
	}
}

// Actor says who does something and from where.
func (d Desk) Actor(r *http.Request, id session.Identity) lifecycle.Actor {
	return lifecycle.Actor{Person: id.Person, Origin: audit.Event{
		SessionID: id.Session.Hash, Network: d.Session.Address(r), RequestID: d.RequestID(r),
	}}
}

// Patient gives a patient's name; while the upstream is down pages do without.
func (d Desk) Patient(ctx context.Context, id string) string {
	p, err := d.Names.Patient(ctx, id)
	if err != nil || p.Name == "" {
		return "…"
	}
	return p.Name
}

// Line says where a case stands. whose names the patient for another reader; base is
// the path below which cases are shown.
func (d Desk) Line(c proxy.Case, base, whose string) pages.CaseLine {
	return pages.CaseLine{
		Name: c.Name, Relation: c.Relationship, Patient: whose, State: string(c.At(d.Clock.Now())),
		Starts: c.Starts, Until: c.Terms.Until, URL: d.Session.Path(base + "/" + c.ID),
	}
}

// Steps tells what happened to a case, the newest last.
func (d Desk) Steps(ctx context.Context, c proxy.Case) []pages.CaseStep {
	names := map[string]string{"": "", proxy.Clock: ""}
	var out []pages.CaseStep
	for _, s := range c.Steps {
		name, known := names[s.By]
		if !known {
			if p, err := d.Names.PersonByID(ctx, c.Tenant, s.By); err == nil {
				name = p.Name
			}
			names[s.By] = name
		}
		out = append(out, pages.CaseStep{At: s.At, Key: string(s.Act), Who: name})
	}
	return out
}

// Current refuses a form that was made from another version than is stored now.
func Current(r *http.Request, version int) error {
	if r.PostFormValue("version") != strconv.Itoa(version) {
		return errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
	}
	return nil
}
