package operator

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the pages begin.
const Path = "/operator/clients"

// Deps is what the handlers work with.
type Deps struct {
	Registry *registration.Service
	// Holidays are those of the clocks of approval.
	Holidays registration.Holidays
	Flights  *flight.Recorder
	// Docs is the URL of the pages of cause codes, with a trailing slash.
	Docs string
	// Holds reports whether the account is an operator of the tenant; errors are
	// errs.Forbidden, errs.Unavailable.
	Holds     func(ctx context.Context, p identity.Person) error
	Kit       *pages.Kit
	Session   *session.Manager
	Page      func(http.ResponseWriter, *http.Request, error)
	RequestID func(*http.Request) string
	Clock     clock.Clock
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, serve func(http.ResponseWriter, *http.Request, session.Identity) error) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.NoPHI, Limit: "page", Owner: "web/pages/operator",
			Handler: h.Session.Protect(h.Session.Load(h.admins(h.Session.Require(identity.AAL2)(h.guarded(serve))))),
		}
	}
	return []route.Route{
		on(http.MethodGet, Path, h.clients),
		on(http.MethodGet, Path+"/{id}", h.client),
		on(http.MethodGet, Path+"/{id}/{act}", h.ask),
		on(http.MethodPost, Path+"/{id}/{act}", h.decide),
	}
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks(p identity.Person) []pages.StaffTask {
	if p.Role != identity.RoleAdmin {
		return nil
	}
	return []pages.StaffTask{{Key: "staff.task.clients", URL: h.Session.Path(Path)}}
}

var errNoOperator = errs.New(errs.Forbidden, "operator-page", "This page is for operators.")

// admins turns others away before they are asked for a second factor.
func (h *Handler) admins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, in := session.From(r); in && id.Person.Role != identity.RoleAdmin {
			h.Page(w, r, errNoOperator)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guarded lets operators through; Require ran before it.
func (h *Handler) guarded(serve func(http.ResponseWriter, *http.Request, session.Identity) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := session.From(r)
		err := h.Holds(r.Context(), id.Person)
		if errs.Is(err, errs.Forbidden) {
			err = errs.Wrap(err, errs.Forbidden, errNoOperator.Code, errNoOperator.Msg)
		}
		if err == nil {
			err = serve(w, r, id)
		}
		if err != nil {
			h.Page(w, r, err)
		}
	})
}

// frame gives the parts that all pages share.
func (h *Handler) frame(r *http.Request, id session.Identity, back string) pages.Frame {
	return pages.Frame{
		Lang: h.Kit.Lang(r), SignedInAs: id.Person.Name, CSRF: h.Session.Token(r, session.PurposePage),
		BackURL: h.Session.Path(back), Now: h.Clock.Now(), Staff: true,
		SessionEnds: id.Session.IdleEnds, StayURL: h.Session.Path(pages.StayPath),
	}
}

// origin prepares the audit event of a decision.
func (h *Handler) origin(r *http.Request, id session.Identity) audit.Event {
	return audit.Event{
		Tenant: id.Person.Tenant, Time: h.Clock.Now(), PersonID: id.Person.ID, SessionID: id.Session.Hash,
		Network: h.Session.Address(r), RequestID: h.RequestID(r),
	}
}
