package together

import (
	"context"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/together"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the question is.
const Path = "/together"

// invitePath is where the patient invites somebody.
const invitePath = "/people/invite"

// Accounts tells how an account is used; identity.Service is one.
type Accounts interface {
	Sessions(ctx context.Context, tenant, personID string) ([]identity.Session, error)
	Devices(ctx context.Context, tenant, personID string) ([]identity.Device, error)
}

// Deps is what the handlers work with.
type Deps struct {
	Accounts Accounts
	Recorder audit.Recorder
	desk.Desk
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method string, next http.Handler) route.Route {
		return route.Route{
			Method: method, Path: Path, Auth: route.Session, PHI: route.NoPHI, Limit: "page", Owner: "web/pages/together",
			Handler: h.Session.Protect(h.Session.Load(h.Session.For(identity.ActLook)(next))),
		}
	}
	return []route.Route{on(http.MethodGet, h.Signed(h.ask)), on(http.MethodPost, h.Posted(h.answer))}
}

// Found gives the address of the question when two people seem to use a patient's
// account, "" otherwise and for a device on which the answer was no.
func (h *Handler) Found(r *http.Request, id session.Identity) (string, error) {
	if id.Person.Role != identity.RolePatient || h.Session.Alone(r) {
		return "", nil
	}
	found, err := h.judge(r, id)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return h.Session.Path(Path), nil
}

func (h *Handler) judge(r *http.Request, id session.Identity) ([]together.Finding, error) {
	in := together.Signals{Now: h.Clock.Now()}
	var err error
	if in.Sessions, err = h.Accounts.Sessions(r.Context(), id.Person.Tenant, id.Person.ID); err != nil {
		return nil, err
	}
	if in.Devices, err = h.Accounts.Devices(r.Context(), id.Person.Tenant, id.Person.ID); err != nil {
		return nil, err
	}
	return together.Judge(in), nil
}

// ask says what was seen, and that an own account takes three minutes.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	found, err := h.judge(r, id)
	if err != nil {
		return err
	}
	page := pages.Together{Frame: h.Frame(r, id, "/home"), Patient: id.Person.Name}
	for _, f := range found {
		seen := pages.TogetherSeen{Rule: f.Rule, Count: len(f.Agents)}
		seen.First, seen.Second = plain(f.Agents[0]), plain(f.Agents[1])
		page.Seen = append(page.Seen, seen)
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// plain says a kind of device as people do.
func plain(agent string) string {
	browser, system, _ := strings.Cut(agent, "/")
	return strings.TrimSpace(browser + " " + system)
}

// answer is recorded before anything follows from it.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	found, err := h.judge(r, id)
	if err != nil {
		return err
	}
	helps := r.PostFormValue("answer") == "yes"
	e := h.Actor(r, id).Origin
	e.Tenant, e.Time, e.Kind, e.Action, e.Outcome, e.PersonID = id.Person.Tenant, h.Clock.Now(), audit.SharingAnswered, "E", audit.Success, id.Person.ID
	e.Detail = map[string]string{"answer": map[bool]string{true: "helped", false: "alone"}[helps]}
	for _, f := range found {
		e.Detail["rules"] = strings.TrimSpace(e.Detail["rules"] + " " + f.Rule)
	}
	if err := h.Recorder.Record(r.Context(), e); err != nil {
		return err
	}
	to := invitePath
	if !helps {
		h.Session.KeepAlone(w)
		to = "/home"
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, h.Session.Path(to), http.StatusSeeOther)
	return nil
}
