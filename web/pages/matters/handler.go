package matters

import (
	"net/http"
	"strconv"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the pages begin.
const Path = "/staff/matters"

// casePath is where staff see one way to a record.
const casePath = "/staff/people/"

// Deps is what the handlers work with.
type Deps struct {
	Life *lifecycle.Service
	desk.Desk
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, next http.Handler, typed ...string) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.Identifiers, Limit: "page", Owner: "web/pages/matters",
			Handler: h.Session.Protect(h.Session.Load(h.Session.Long(h.Session.Oneself(h.Clinical(h.Session.For(identity.ActConsole)(next))), typed...))),
		}
	}
	return []route.Route{
		on(http.MethodGet, Path, h.Signed(h.queue)),
		on(http.MethodGet, Path+"/open/{id}", h.Signed(h.askOpen)),
		on(http.MethodPost, Path+"/open/{id}", h.Posted(h.open)),
		on(http.MethodGet, Path+"/{id}", h.Signed(h.one)),
		on(http.MethodPost, Path+"/{id}", h.Posted(h.decide), "outcome", "ground"),
	}
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks(p identity.Person) []pages.StaffTask {
	if !lifecycle.Clinical(p) {
		return nil
	}
	return []pages.StaffTask{{Key: "staff.task.matters", URL: h.Session.Path(Path)}}
}

func (h *Handler) line(r *http.Request, m matter.Matter) pages.MatterLine {
	return pages.MatterLine{
		Kind: string(m.Kind), Function: m.Function, Patient: h.Patient(r.Context(), m.Patient), Due: m.Due, Late: m.Overdue(h.Clock.Now()),
		URL: h.Session.Path(Path + "/" + m.ID),
	}
}

func (h *Handler) queue(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	list, err := h.Life.Matters(r.Context(), h.Actor(r, id))
	if err != nil {
		return err
	}
	page := pages.Matters{Frame: h.Frame(r, id, "/staff")}
	for _, m := range list {
		page.Lines = append(page.Lines, h.line(r, m))
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// one shows a matter, and asks for the decision while it is open.
func (h *Handler) one(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	return h.show(w, r, id, http.StatusOK)
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, id session.Identity, status int, faults ...pages.FieldError) error {
	m, cases, err := h.Life.MatterFor(r.Context(), h.Actor(r, id), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	page := pages.Matter{
		Frame: h.Frame(r, id, Path), Line: h.line(r, m), Open: m.Open, Opened: m.Opened, OpenedBy: h.name(r, m, m.OpenedBy),
		DecidedBy: h.name(r, m, m.DecidedBy), Decided: m.Decided, Outcome: string(m.Outcome), Version: m.Version,
		Mine: m.OpenedBy == id.Person.ID || m.DeniedBy == id.Person.ID,
	}
	page.Errors = faults
	for _, c := range cases {
		page.People = append(page.People, h.Line(c, casePath[:len(casePath)-1], page.Line.Patient))
	}
	for _, yes := range m.Approved {
		page.Agreed = append(page.Agreed, pages.CaseStep{At: yes.At, Who: h.name(r, m, yes.By)})
	}
	if m.Ground != "" {
		page.Ground = h.Kit.Ground(page.Lang, h.Life.Law.GroundOf(m.Ground, m.Opened))
	}
	draft, ground := h.Session.Draft(w, r), m.Ground
	page.Chosen = draft.Get("outcome")
	if kept := draft.Get("ground"); kept != "" && m.Open {
		ground = kept
	}
	for _, g := range h.Life.Law.GroundsAt(page.Now) {
		page.Grounds = append(page.Grounds, pages.Option{Value: g.ID, Label: h.Kit.Ground(page.Lang, g), Selected: g.ID == ground})
	}
	for _, o := range matter.Outcomes(m.Kind) {
		page.Outcomes = append(page.Outcomes, string(o))
	}
	h.Kit.Render(w, r, status, page)
	return nil
}

func (h *Handler) name(r *http.Request, m matter.Matter, person string) string {
	p, err := h.Names.PersonByID(r.Context(), m.Tenant, person)
	if err != nil {
		return ""
	}
	return p.Name
}

// faults are the fields that an error code is about.
func faults() map[string]pages.FieldError {
	return map[string]pages.FieldError{
		"matter-outcome": {Field: "outcome", Key: pages.ErrChoose},
		"matter-ground":  {Field: "ground", Key: pages.ErrChoose},
		"matter-own":     {Key: "field.same_reviewer"},
		"joint-gone":     {Key: "field.joint_gone"},
		"matter-other":   {Field: "other", Key: pages.ErrChoose},
	}
}

func (h *Handler) decide(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	version, err := strconv.Atoi(r.PostFormValue("version"))
	if err != nil {
		return errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
	}
	at := mux.Vars(r)["id"]
	err = h.Life.Decide(r.Context(), h.Actor(r, id), at, version, matter.Outcome(r.PostFormValue("outcome")), r.PostFormValue("ground"))
	if err != nil {
		if f, ok := faults()[errs.As(err).Code]; ok {
			return h.show(w, r, id, http.StatusBadRequest, f)
		}
		return err
	}
	http.Redirect(w, r, h.Session.Path(Path+"/"+at), http.StatusSeeOther)
	return nil
}

func (h *Handler) askOpen(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	return h.opening(w, r, id, http.StatusOK)
}

// opening asks with whom somebody does not agree.
func (h *Handler) opening(w http.ResponseWriter, r *http.Request, id session.Identity, status int, faults ...pages.FieldError) error {
	c, others, err := h.Life.CircleOf(r.Context(), h.Actor(r, id), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	page := pages.MatterOpen{Frame: h.Frame(r, id, casePath+c.ID), Who: c.Name, Patient: h.Patient(r.Context(), c.Patient)}
	page.Errors = faults
	for _, o := range others {
		page.Others = append(page.Others, pages.Option{Value: o.ID, Label: o.Name})
	}
	h.Kit.Render(w, r, status, page)
	return nil
}

func (h *Handler) open(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	m, err := h.Life.OpenDispute(r.Context(), h.Actor(r, id), mux.Vars(r)["id"], r.PostFormValue("other"))
	if err != nil {
		if f, ok := faults()[errs.As(err).Code]; ok {
			return h.opening(w, r, id, http.StatusBadRequest, f)
		}
		return err
	}
	http.Redirect(w, r, h.Session.Path(Path+"/"+m.ID), http.StatusSeeOther)
	return nil
}
