package account

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

const (
	activityPath = pages.AccountPath + "/activity"
	travelPath   = pages.AccountPath + "/travel"
	owner        = "web/pages/account"
	maxForm      = 8 << 10
	pageSize     = 30
)

// Accounts is what the pages need of identity.Service.
type Accounts interface {
	Sessions(ctx context.Context, tenant, personID string) ([]identity.Session, error)
	ManagedFactors(ctx context.Context, tenant, secret string) ([]identity.Factor, error)
	SetChoices(ctx context.Context, tenant, secret string, c identity.Choices) error
	SetTravel(ctx context.Context, tenant, secret string, until time.Time, m identity.Meta) error
}

// Deps is what the pages work with. All fields are required.
type Deps struct {
	Accounts Accounts
	// Addresses keeps the addresses of people.
	Addresses Addresses
	// Audits gives recorded events, the newest first.
	Audits func(ctx context.Context, f audit.Filter) ([]audit.Event, error)
	// Signals gives what may be looked at in a log-in.
	Signals func() []pages.Signal
	Kit     *pages.Kit
	Session *session.Manager
	// Page writes an error page (web/problem).
	Page  func(http.ResponseWriter, *http.Request, error)
	Clock clock.Clock
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// visit is one request; id is the zero Identity where nobody is signed in.
type visit struct {
	*Handler
	w  http.ResponseWriter
	r  *http.Request
	id session.Identity
}

// form gives the fields of a form that was posted.
func (v visit) form() url.Values { return posted(v.r) }

func posted(r *http.Request) url.Values { return r.PostForm }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(a identity.Action, method, path string, serve func(visit), typed ...string) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.NoPHI, Limit: "page", Owner: owner,
			Handler: h.Session.Protect(h.Session.Load(h.Session.Long(h.Session.For(a)(h.visited(serve)), typed...))),
		}
	}
	open := func(method, path, why string, serve func(visit)) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.None, PHI: route.NoPHI, Limit: "page", Owner: owner, Reason: why,
			Handler: h.Session.Protect(h.Session.Load(h.visited(serve))),
		}
	}
	return []route.Route{
		on(identity.ActLook, http.MethodGet, pages.AccountPath, visit.account),
		on(identity.ActLook, http.MethodGet, activityPath, visit.activity),
		on(identity.ActAuthenticators, http.MethodGet, travelPath, visit.travel),
		on(identity.ActAuthenticators, http.MethodPost, travelPath, visit.travelled, "until"),
		on(identity.ActLook, http.MethodGet, addressesPath, visit.addresses),
		on(identity.ActLook, http.MethodPost, addressesPath, visit.addressed, "address"),
		open(http.MethodGet, pages.DisplayPath, "how pages look can be chosen before the sign-in", visit.display),
		open(http.MethodPost, pages.DisplayPath, "how pages look can be chosen before the sign-in; needs a form token", visit.displayed),
		open(http.MethodGet, pages.AccessibilityPath, "whoever cannot use the pages must be able to read it", visit.accessibility),
	}
}

// visited reads the form and checks its token before anything changes.
func (h *Handler) visited(serve func(visit)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := session.ReadForm(w, r, maxForm); err != nil {
			h.Page(w, r, err)
			return
		}
		if r.Method == http.MethodPost {
			if err := h.Session.Check(r, session.PurposePage); err != nil {
				h.Page(w, r, err)
				return
			}
		}
		id, _ := session.From(r)
		serve(visit{h, w, r, id})
	})
}

func (v visit) frame(back string, e ...pages.FieldError) pages.Frame {
	f := pages.Frame{Lang: v.Kit.Lang(v.r), CSRF: v.Session.Token(v.r, session.PurposePage), Now: v.Clock.Now(), Errors: e}
	if back != "" {
		f.BackURL = v.Session.Path(back)
	}
	if v.id.Person.ID != "" {
		f.SignedInAs, f.Staff = v.id.Person.Name, v.id.Person.Role.Staff()
		f.SessionEnds, f.StayURL = v.id.Session.IdleEnds, v.Session.Path(pages.StayPath)
	}
	return f
}

func (v visit) draw(status int, p pages.Page) { v.Kit.Render(v.w, v.r, status, p) }

func (v visit) goTo(at string) {
	v.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(v.w, v.r, at, http.StatusSeeOther)
}

func (v visit) account() {
	ctx, p := v.r.Context(), v.id.Person
	factors, err := v.Accounts.ManagedFactors(ctx, p.Tenant, session.Secret(v.r))
	var live []identity.Session
	if err == nil {
		live, err = v.Accounts.Sessions(ctx, p.Tenant, p.ID)
	}
	if err != nil {
		v.Page(v.w, v.r, err)
		return
	}
	page := pages.Account{
		Frame: v.frame("/home"), Name: p.Name, Username: p.Username, Factors: len(factors), Devices: len(live),
		ActivityURL: v.Session.Path(activityPath), AddressesURL: v.Session.Path(addressesPath), TravelURL: v.Session.Path(travelPath),
	}
	if p.Role.Staff() {
		page.BackURL = v.Session.Path("/staff")
	}
	if p.Travels.After(v.Clock.Now()) {
		page.Travels = p.Travels
	}
	if v.r.URL.Query().Get("done") != "" {
		page.Notice = &pages.Notice{Tone: pages.Good, Key: pages.NoticeSaved}
	}
	v.draw(http.StatusOK, page)
}

func (v visit) travel() { v.askTravel(http.StatusOK) }

func (v visit) askTravel(status int, e ...pages.FieldError) {
	page := pages.Travel{Frame: v.frame(pages.AccountPath, e...), Action: v.Session.Path(travelPath), Until: v.form().Get("until")}
	if draft := v.Session.Draft(v.w, v.r); draft != nil && v.r.Method == http.MethodGet {
		page.Until = draft.Get("until")
	}
	if v.id.Person.Travels.After(v.Clock.Now()) {
		page.Travels = v.id.Person.Travels
	}
	v.draw(status, page)
}

// travelled takes the day up to whose end the person travels.
func (v visit) travelled() {
	var until time.Time
	if v.form().Get("stop") == "" {
		day, err := time.Parse(time.DateOnly, strings.TrimSpace(v.form().Get("until")))
		if err != nil {
			v.askTravel(http.StatusBadRequest, pages.FieldError{Field: "until", Key: pages.ErrDate})
			return
		}
		until = day.AddDate(0, 0, 1)
		if !until.After(v.Clock.Now()) {
			v.askTravel(http.StatusBadRequest, pages.FieldError{Field: "until", Key: pages.ErrTravel})
			return
		}
	}
	err := v.Accounts.SetTravel(v.r.Context(), v.id.Person.Tenant, session.Secret(v.r), until, v.Session.Meta(v.r, ""))
	switch {
	case errs.Is(err, errs.Unauthenticated) && errs.As(err).Code == "step-up-needed":
		// What the role needs anyway is asked for, be it more than the page does.
		v.Session.Late(v.w, v.r, identity.ActLook, "until")
	case errs.Is(err, errs.Invalid):
		v.askTravel(http.StatusBadRequest, pages.FieldError{Field: "until", Key: pages.ErrTravel})
	case err != nil:
		v.Page(v.w, v.r, err)
	default:
		v.goTo(v.Session.Path(pages.AccountPath) + "?done=1")
	}
}
