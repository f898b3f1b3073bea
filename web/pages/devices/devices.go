package devices

import (
	"context"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is the page.
const Path = "/devices"

// Accounts is what the page needs of identity.Service.
type Accounts interface {
	Sessions(ctx context.Context, tenant, personID string) ([]identity.Session, error)
	EndSession(ctx context.Context, mine identity.Session, hash string, m identity.Meta) error
	EndOthers(ctx context.Context, mine identity.Session, m identity.Meta) (int, error)
}

// Connections ends what apps keep; oauth.Connections does.
type Connections interface {
	Of(ctx context.Context, p identity.Person) ([]oauth.Grant, error)
	End(ctx context.Context, p identity.Person, id string, origin audit.Event) error
}

// Deps is what the page works with. All fields are required.
type Deps struct {
	Accounts    Accounts
	Approvals   Approvals
	Connections Connections
	Kit         *pages.Kit
	Session     *session.Manager
	// Page writes an error page (web/problem).
	Page      func(http.ResponseWriter, *http.Request, error)
	RequestID func(*http.Request) string
	Clock     clock.Clock
}

// Handler serves the page.
type Handler struct{ d Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{d: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method string, serve http.HandlerFunc) route.Route {
		return route.Route{
			Method: method, Path: Path, Auth: route.Session, PHI: route.NoPHI, Limit: "page", Owner: "web/pages/devices",
			Handler: h.d.Session.Protect(h.d.Session.Load(h.d.Session.Require(identity.AAL1)(serve))),
		}
	}
	approve := func(method string, serve http.HandlerFunc) route.Route {
		one := on(method, serve)
		one.Path = ApprovePath
		one.Handler = h.d.Session.Protect(h.d.Session.Load(h.d.Session.Require(identity.AAL2)(serve)))
		return one
	}
	return []route.Route{on(http.MethodGet, h.list), on(http.MethodPost, h.end), approve(http.MethodGet, h.asked), approve(http.MethodPost, h.answer)}
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request) {
	h.show(w, r, http.StatusOK, pages.Devices{})
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, page pages.Devices) {
	id, _ := session.From(r)
	all, err := h.d.Accounts.Sessions(r.Context(), id.Person.Tenant, id.Person.ID)
	if err != nil {
		h.d.Page(w, r, err)
		return
	}
	page.Lang, page.SignedInAs, page.Staff = h.d.Kit.Lang(r), id.Person.Name, id.Person.Role.Staff()
	page.CSRF, page.Now = h.d.Session.Token(r, session.PurposePage), h.d.Clock.Now()
	page.SessionEnds, page.StayURL = id.Session.IdleEnds, h.d.Session.Path(pages.StayPath)
	page.BackURL = h.d.Session.Path("/home")
	if page.Staff {
		page.BackURL = h.d.Session.Path("/staff")
	}
	if page.ApproveURL, err = h.ApproveURL(r, id); err != nil {
		h.d.Page(w, r, err)
		return
	}
	page.Action, page.Apps = h.d.Session.Path(Path), !page.Staff
	if r.URL.Query().Get("done") != "" && page.Notice == nil && len(page.Errors) == 0 {
		page.Notice = &pages.Notice{Tone: pages.Good, Key: pages.NoticeSignedOutThere}
	}
	for _, s := range all {
		browser, system, _ := strings.Cut(s.Agent, "/")
		page.Sessions = append(page.Sessions, pages.SignedInDevice{
			ID: s.Hash, Browser: browser, System: system, Here: s.Hash == id.Session.Hash, Shared: s.Shared, Since: s.Created, LastSeen: s.LastSeen,
		})
	}
	h.d.Kit.Render(w, r, status, page)
}

// end ends one session, or all others and, where that was ticked, what apps keep.
func (h *Handler) end(w http.ResponseWriter, r *http.Request) {
	if err := h.d.Session.Check(r, session.PurposePage); err != nil {
		page := pages.Devices{}
		page.Errors = []pages.FieldError{{Key: pages.ErrExpiredForm}}
		h.show(w, r, http.StatusForbidden, page)
		return
	}
	id, _ := session.From(r)
	m := h.d.Session.Meta(r, "")
	one := r.PostForm.Get("session")
	var err error
	switch {
	case one == id.Session.Hash:
		err = errs.New(errs.Invalid, "session-own", "This is the log-in in use: sign out instead.")
	case one != "":
		err = h.d.Accounts.EndSession(r.Context(), id.Session, one, m)
	default:
		if _, err = h.d.Accounts.EndOthers(r.Context(), id.Session, m); err == nil && r.PostForm.Get("apps") != "" {
			err = h.endApps(r, id)
		}
	}
	// What is over already is as wished.
	if err != nil && !errs.Is(err, errs.NotFound) {
		h.d.Page(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, h.d.Session.Path(Path)+"?done=1", http.StatusSeeOther)
}

func (h *Handler) endApps(r *http.Request, id session.Identity) error {
	grants, err := h.d.Connections.Of(r.Context(), id.Person)
	if err != nil {
		return err
	}
	now := h.d.Clock.Now()
	for _, g := range grants {
		if g.PersonID != id.Person.ID || !g.Live(now) {
			continue
		}
		err := h.d.Connections.End(r.Context(), id.Person, g.ID, audit.Event{
			Tenant: id.Person.Tenant, Time: now, PersonID: id.Person.ID, SessionID: id.Session.Hash,
			Network: h.d.Session.Address(r), RequestID: h.d.RequestID(r),
		})
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return nil
}
