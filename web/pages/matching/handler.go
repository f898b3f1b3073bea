package matching

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/console"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the pages begin.
const Path = "/operator/sign-ins"

// mostCases is how many cases the list has.
const mostCases = 100

// Accounts keeps and decides cases; identity.Service does.
type Accounts interface {
	OpenMatches(ctx context.Context, tenant string, limit int) ([]identity.Match, error)
	DecideMatch(ctx context.Context, tenant, id string, d identity.Decision, m identity.Meta) error
}

// Deps is what the handlers work with.
type Deps struct {
	console.Door
	Accounts Accounts
	// Provider gives the name of a provider by its id, "" for one that there is not
	// any more.
	Provider func(id string) string
	// May reports whether an account may decide.
	May console.May
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

var sign = console.Sign{
	Owner:   "web/pages/matching",
	Refusal: errs.New(errs.Forbidden, "matching-page", "This page is for those who run the server."),
}

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	out := []route.Route{
		h.Route(sign, http.MethodGet, Path, h.May, h.list),
		h.Route(sign, http.MethodGet, Path+"/{id}", h.May, h.one),
		h.Route(sign, http.MethodPost, Path+"/{id}", h.May, h.decide),
	}
	for i := range out {
		out[i].PHI = route.Identifiers
	}
	return out
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks() console.Tasks { return h.Task("staff.task.matches", Path) }

func (h *Handler) list(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	open, err := h.Accounts.OpenMatches(r.Context(), h.Session.Tenant(r), mostCases)
	if err != nil {
		return err
	}
	p := pages.OperatorMatches{Frame: h.Frame(r, id, "/staff")}
	if r.URL.Query().Has("done") {
		p.Notice = &pages.Notice{Tone: pages.Good, Key: pages.NoticeSaved}
	}
	for _, m := range open {
		p.Cases = append(p.Cases, h.shown(m))
	}
	h.Kit.Render(w, r, http.StatusOK, p)
	return nil
}

func (h *Handler) shown(m identity.Match) pages.SignInMatch {
	out := pages.SignInMatch{URL: h.Session.Path(Path + "/" + url.PathEscape(m.ID)), Provider: m.Provider, Since: m.Created}
	if name := h.Provider(m.Provider); name != "" {
		out.Provider = name
	}
	for _, k := range slices.Sorted(maps.Keys(m.Said)) {
		out.Said = append(out.Said, pages.SignInSaid{Name: k, Value: m.Said[k]})
	}
	for _, f := range m.Found {
		out.Found = append(out.Found, f.String())
	}
	return out
}

func (h *Handler) one(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	return h.show(w, r, id, http.StatusOK)
}

// show draws an open case.
func (h *Handler) show(w http.ResponseWriter, r *http.Request, id session.Identity, status int, e ...pages.FieldError) error {
	open, err := h.Accounts.OpenMatches(r.Context(), h.Session.Tenant(r), mostCases)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(open, func(m identity.Match) bool { return m.ID == mux.Vars(r)["id"] })
	if i < 0 {
		return errs.New(errs.NotFound, "page-not-found", "There is no such page.")
	}
	p := pages.OperatorMatch{Frame: h.Frame(r, id, Path), Case: h.shown(open[i]), Username: r.PostFormValue("username")}
	p.Errors = e
	h.Kit.Render(w, r, status, p)
	return nil
}

// decide links the case to an account, or refuses it.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	d := identity.Decision{By: id.Person.ID}
	if r.PostFormValue("answer") == "link" {
		if d.Username = r.PostFormValue("username"); d.Username == "" {
			return h.show(w, r, id, http.StatusBadRequest, pages.FieldError{Field: "username", Key: pages.ErrRequired})
		}
	}
	err := h.Accounts.DecideMatch(r.Context(), h.Session.Tenant(r), mux.Vars(r)["id"], d, h.Session.Meta(r, ""))
	switch {
	case err == nil:
		http.Redirect(w, r, h.Session.Path(Path)+"?done=1", http.StatusSeeOther)
		return nil
	case errs.As(err).Code == "person-not-found":
		return h.show(w, r, id, http.StatusNotFound, pages.FieldError{Field: "username", Key: pages.ErrNoAccount})
	}
	return err
}
