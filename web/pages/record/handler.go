package record

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Where the pages begin.
const (
	Path   = "/record"
	OfPath = "/copies/of"
)

// Life is what the pages need of the use-cases; the record is filled in where
// they are put together.
type Life interface {
	Own(ctx context.Context, a lifecycle.Actor, kind string) (lifecycle.Chart, error)
	ForHelper(ctx context.Context, a lifecycle.Actor, id, kind string) (lifecycle.Chart, error)
	Keep(ctx context.Context, a lifecycle.Actor, item fhir.Reference) error
	Unkeep(ctx context.Context, a lifecycle.Actor, item fhir.Reference) error
}

// Deps is what the handlers work with.
type Deps struct {
	Life     Life
	Patients interface {
		Patient(ctx context.Context, id string) (upstream.Demographics, error)
	}
	Once     Once
	Recorder audit.Recorder
	Kit      *pages.Kit
	Session  *session.Manager
	Page     func(http.ResponseWriter, *http.Request, error)
	// RequestID gives the id of a request.
	RequestID func(*http.Request) string
	Clock     clock.Clock
	IDs       ids.Source
	Hasher    ids.Hasher
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{d} }

type serve func(http.ResponseWriter, *http.Request, session.Identity) error

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, f serve) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.Record, Limit: "page", Owner: "web/pages/record",
			Handler: h.Session.Protect(h.Session.Load(h.Session.For(identity.ActLook)(h.signedIn(f)))),
		}
	}
	return []route.Route{
		on(http.MethodGet, Path, h.kinds),
		on(http.MethodGet, Path+"/{kind}", h.list),
		on(http.MethodPost, Path+"/{kind}", h.keep),
		on(http.MethodGet, Path+"/{kind}/copy", h.askCopy),
		on(http.MethodPost, Path+"/{kind}/copy", h.copy),
		on(http.MethodGet, OfPath+"/{id}", h.askCopy),
		on(http.MethodPost, OfPath+"/{id}", h.copy),
		{
			Method: http.MethodGet, Path: "/copies/{ticket}", Auth: route.Session, PHI: route.Record, Limit: "page", Owner: "web/pages/record",
			Handler: h.Session.Protect(h.Session.Load(http.HandlerFunc(h.fetch))),
		},
	}
}

// signedIn hands the identity to the handler; For ran before it.
func (h *Handler) signedIn(f serve) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := session.From(r)
		if err := f(w, r, id); err != nil {
			h.Page(w, r, err)
		}
	})
}

func (h *Handler) frame(r *http.Request, id session.Identity, back string) pages.Frame {
	return pages.Frame{
		Lang: h.Kit.Lang(r), SignedInAs: id.Person.Name, CSRF: h.Session.Token(r, session.PurposePage),
		BackURL: h.Session.Path(back), Now: h.Clock.Now(), Staff: id.Person.Role.Staff(),
		SessionEnds: id.Session.IdleEnds, StayURL: h.Session.Path(pages.StayPath),
	}
}

func (h *Handler) origin(r *http.Request, id session.Identity) audit.Event {
	return audit.Event{
		Tenant: id.Person.Tenant, Time: h.Clock.Now(), PersonID: id.Person.ID, SessionID: id.Session.Hash,
		Network: h.Session.Address(r), RequestID: h.RequestID(r),
	}
}

func (h *Handler) actor(r *http.Request, id session.Identity) lifecycle.Actor {
	return lifecycle.Actor{Person: id.Person, Origin: h.origin(r, id)}
}

func kindNames() []string {
	var out []string
	for _, k := range consent.DataKinds() {
		out = append(out, k.Name)
	}
	return out
}

// kinds is "My record": the kinds of data that can be looked through.
func (h *Handler) kinds(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	page := pages.Record{Frame: h.frame(r, id, "/home")}
	for _, k := range kindNames() {
		page.Kinds = append(page.Kinds, pages.CaseAct{Key: k, URL: h.Session.Path(Path + "/" + k)})
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// privately is the parameter that asks for what is particularly private too.
const privately = "private"

// mostShown is how many entries one page lists.
const mostShown = 100

// list shows the entries of one kind, each with whether it is kept private. What is
// particularly private is left out until its proof is given (SP-20).
func (h *Handler) list(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	kind := mux.Vars(r)["kind"]
	chart, err := h.Life.Own(r.Context(), h.actor(r, id), kind)
	if err != nil {
		return err
	}
	open := h.Session.Meets(r, identity.ActRestricted)
	if r.URL.Query().Has(privately) && h.Session.Ask(w, r, identity.ActRestricted) {
		return nil
	}
	older := r.URL.Query().Get("before")
	page := pages.RecordKind{Frame: h.frame(r, id, Path), Kind: kind, CopyURL: h.Session.Path(Path + "/" + kind + "/copy")}
	shown := chart.Entries
	if !open {
		shown = slices.DeleteFunc(slices.Clone(shown), func(e lifecycle.Entry) bool { return e.Private || e.Kept })
		if len(shown) < len(chart.Entries) {
			page.PrivateURL = h.Session.Path(Path + "/" + kind + "?" + privately + "=1")
		}
	}
	if t, err := time.Parse(time.RFC3339Nano, older); err == nil {
		shown = slices.DeleteFunc(slices.Clone(shown), func(e lifecycle.Entry) bool { return !e.Date.Before(t) })
	}
	if len(shown) > mostShown {
		shown = shown[:mostShown]
		page.OlderURL = h.Session.Path(Path + "/" + kind + "?before=" + shown[mostShown-1].Date.Format(time.RFC3339Nano))
	}
	var delivered []string
	for _, e := range shown {
		delivered = append(delivered, e.Ref.String())
		page.Entries = append(page.Entries, pages.RecordEntry{
			Item: e.Ref.String(), Kind: pages.KindRef{Type: e.Ref.Type}, Title: e.Title, Detail: e.Detail, Date: e.Date, Kept: e.Kept,
		})
	}
	e := h.origin(r, id)
	e.Kind, e.Action, e.Outcome, e.Patient, e.Capacity = audit.FHIRSearch, "E", audit.Success, chart.Patient, chart.Capacity
	e.Delivered, e.Count = delivered, len(delivered)
	if err := h.Recorder.Record(r.Context(), e); err != nil {
		return err
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// keep keeps an entry private, or undoes it. Both are for patients alone. To
// undo lets others see more, so it asks for a fresh proof.
func (h *Handler) keep(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	item, _ := fhir.ParseReference(r.PostFormValue("item"))
	var err error
	if r.PostFormValue("answer") == "keep" {
		err = h.Life.Keep(r.Context(), h.actor(r, id), item)
	} else {
		if !h.Session.Meets(r, identity.ActShare) {
			h.Session.Late(w, r, identity.ActShare)
			return nil
		}
		err = h.Life.Unkeep(r.Context(), h.actor(r, id), item)
	}
	if err == nil {
		to := h.Session.Path(Path + "/" + mux.Vars(r)["kind"])
		if q := r.URL.RawQuery; strings.HasPrefix(q, "before=") {
			to += "?" + q
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
	return err
}
