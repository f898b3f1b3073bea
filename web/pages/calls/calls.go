package calls

import (
	"net/http"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/oauth/callers"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Where the pages are.
const (
	Path     = "/staff/calls"
	CodePath = "/call-code"
)

// Deps is what the handlers work with.
type Deps struct {
	Callers *callers.Service
	// Kinds names the kinds of an access.
	Kinds func(a authority.Access) (kinds []pages.KindRef, everything bool)
	desk.Desk
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	at := func(method, path string, phi route.Class, limit string, next http.Handler) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: phi, Limit: limit, Owner: "web/pages/calls",
			Handler: h.Session.Protect(h.Session.Load(next)),
		}
	}
	staff := func(next http.Handler) http.Handler {
		return h.Session.Oneself(h.Clinical(h.Session.For(identity.ActConsole)(next)))
	}
	return []route.Route{
		at(http.MethodGet, CodePath, route.NoPHI, "page", h.Session.For(identity.ActLook)(h.Signed(h.code))),
		at(http.MethodGet, Path, route.NoPHI, "page", staff(h.Signed(h.ask))),
		at(http.MethodPost, Path, route.Identifiers, "page", staff(h.Posted(h.verify))),
	}
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks(p identity.Person) []pages.StaffTask {
	if !lifecycle.Clinical(p) {
		return nil
	}
	return []pages.StaffTask{{Key: "staff.task.calls", URL: h.Session.Path(Path)}}
}

// code shows the digits that the reader tells staff.
func (h *Handler) code(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	page := pages.CallCode{Frame: h.Frame(r, id, "/home"), Username: id.Person.Username}
	page.Code, page.Next = h.Callers.Code(id.Person)
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// ask is the console, before and after a call that was not verified: nothing that was
// typed is there again.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	h.Kit.Render(w, r, http.StatusOK, pages.CallConsole{Frame: h.Frame(r, id, "/staff"), Refused: r.URL.Query().Get("answer") == "no"})
	return nil
}

// verify shows what a verified caller may hear. Everything else goes to the same
// address with the same bytes.
func (h *Handler) verify(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	caller, err := h.Callers.Verify(r.Context(), id.Person, callers.Asked{
		Username: r.PostFormValue("username"), Patient: r.PostFormValue("patient"), Code: r.PostFormValue("code"),
	}, h.Actor(r, id).Origin)
	if errs.Is(err, errs.Unauthenticated) {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, h.Session.Path(Path)+"?answer=no", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	page := pages.CallVerified{Frame: h.Frame(r, id, Path), Who: caller.Person.Name, Patient: caller.Patient.Name, Gender: caller.Patient.Gender, Self: caller.Self}
	for _, a := range caller.Access {
		line := pages.CallAccess{Relation: a.Capacity.Relationship, Until: a.Until}
		line.Kinds, line.Everything = h.Kinds(a)
		for _, t := range a.Topics {
			line.Sensitive = append(line.Sensitive, pages.KindRef{Topic: string(t)})
		}
		page.Access = append(page.Access, line)
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}
