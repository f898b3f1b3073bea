package patient

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Reader is what the pages read.
type Reader interface {
	ClientByID(ctx context.Context, tenant, id string) (oauth.Client, error)
	PersonByID(ctx context.Context, tenant, id string) (identity.Person, error)
	Audits(ctx context.Context, f audit.Filter) ([]audit.Event, error)
}

// Patients gives what pages say about a patient.
type Patients interface {
	Patient(ctx context.Context, id string) (upstream.Demographics, error)
}

// Deps is what the handlers work with.
type Deps struct {
	Connections *oauth.Connections
	Authority   *authority.Loader
	Relations   authority.Relations
	Read        Reader
	Patients    Patients
	Recorder    audit.Recorder
	Kit         *pages.Kit
	Session     *session.Manager
	Page        func(http.ResponseWriter, *http.Request, error)
	RequestID   func(*http.Request) string
	Clock       clock.Clock
	// Circle gives the people around the reader's own record who have no access now.
	Circle func(r *http.Request, id session.Identity) (pages.Circle, error)
	// Helps gives the address of the people whom the reader helps, "" for none.
	Helps func(r *http.Request, id session.Identity) (string, error)
	// Together gives the address that asks whether two people use the account, ""
	// when nothing tells so.
	Together func(r *http.Request, id session.Identity) (string, error)
	// ApproveURL gives the page on which a log-in waits for this device, "" for none.
	ApproveURL func(r *http.Request, id session.Identity) (string, error)
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, phi route.Class, serve func(http.ResponseWriter, *http.Request, session.Identity)) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: phi, Limit: "page", Owner: "web/pages/patient",
			Handler: h.Session.Protect(h.Session.Load(h.Session.For(identity.ActLook)(signedIn(serve)))),
		}
	}
	own := func(method, path string, phi route.Class, serve func(http.ResponseWriter, *http.Request, session.Identity)) route.Route {
		one := on(method, path, phi, serve)
		one.Handler = h.Session.Protect(h.Session.Load(h.Session.Oneself(one.Handler)))
		return one
	}
	return []route.Route{
		on(http.MethodGet, "/home", route.Identifiers, h.home),
		on(http.MethodGet, "/apps", route.Identifiers, h.apps),
		on(http.MethodGet, "/apps/{id}", route.Identifiers, h.app),
		on(http.MethodGet, "/apps/{id}/end", route.Identifiers, h.askEnd),
		on(http.MethodPost, "/apps/{id}/end", route.Identifiers, h.end),
		on(http.MethodPost, "/apps/{id}/actors/end", route.Identifiers, h.endActor),
		own(http.MethodGet, "/activity", route.Identifiers, h.activity),
		own(http.MethodGet, "/people", route.Identifiers, h.people),
	}
}

// signedIn hands the identity to the handler; Require ran before it.
func signedIn(serve func(http.ResponseWriter, *http.Request, session.Identity)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := session.From(r)
		serve(w, r, id)
	})
}

// frame gives the parts that all pages share.
func (h *Handler) frame(r *http.Request, id session.Identity, back string) pages.Frame {
	return pages.Frame{
		Lang: h.Kit.Lang(r), SignedInAs: id.Person.Name, CSRF: h.Session.Token(r, session.PurposePage),
		BackURL: h.Session.Path(back), Now: h.Clock.Now(), Staff: id.Person.Role.Staff(),
		SessionEnds: id.Session.IdleEnds, StayURL: h.Session.Path(pages.StayPath),
	}
}

// ownPatient gives the id of the person's own record, "" when there is none.
func ownPatient(p identity.Person) string {
	for _, i := range p.Identities {
		if i.Verified && i.Resource.Type == "Patient" {
			return i.Resource.ID
		}
	}
	return ""
}

// names caches the names that one page needs.
type names struct {
	h       *Handler
	tenant  string
	people  map[string]string
	clients map[string]oauth.Client
}

func (h *Handler) names(tenant string) *names {
	return &names{h: h, tenant: tenant, people: map[string]string{}, clients: map[string]oauth.Client{}}
}

// person gives an account's name, "" when it is gone.
func (n *names) person(ctx context.Context, id string) string {
	if id == "" {
		return ""
	}
	if name, ok := n.people[id]; ok {
		return name
	}
	p, err := n.h.Read.PersonByID(ctx, n.tenant, id)
	if err != nil {
		p.Name = ""
	}
	n.people[id] = p.Name
	return p.Name
}

// client gives a registration; one that is gone keeps its id as its name.
func (n *names) client(ctx context.Context, id string) oauth.Client {
	if c, ok := n.clients[id]; ok {
		return c
	}
	c, err := n.h.Read.ClientByID(ctx, n.tenant, id)
	if err != nil {
		c = oauth.Client{ID: id}
	}
	if c.Name == "" {
		c.Name = c.ID
	}
	n.clients[id] = c
	return c
}

// patientName gives a patient's name; while the upstream is down pages do
// without.
func (h *Handler) patientName(ctx context.Context, id string) string {
	if id == "" {
		return ""
	}
	d, err := h.Patients.Patient(ctx, id)
	if err != nil {
		return ""
	}
	return d.Name
}

// origin prepares the audit event of an act on these pages.
func (h *Handler) origin(r *http.Request, id session.Identity) audit.Event {
	return audit.Event{
		Tenant: id.Person.Tenant, Time: h.Clock.Now(), PersonID: id.Person.ID, SessionID: id.Session.Hash,
		Network: h.Session.Address(r), RequestID: h.RequestID(r),
	}
}

// record writes that somebody read about access to a record (AU-20).
func (h *Handler) record(r *http.Request, id session.Identity, patient string) error {
	e := h.origin(r, id)
	e.Kind, e.Action, e.Outcome, e.Patient = audit.AuditRead, "R", audit.Success, patient
	e.Capacity = fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: patient}, Patient: patient, Purpose: "PATRQT"}
	return h.Recorder.Record(r.Context(), e)
}

var errNoRecord = errs.New(errs.Forbidden, "no-own-record", "This account has no health record of its own.")
