package operator

import (
	"net/http"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/flight"
	"github.com/mandate-health/mandate/oauth/registration"
	"github.com/mandate-health/mandate/web/pages/console"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the pages begin.
const Path = "/operator/clients"

// Deps is what the handlers work with.
type Deps struct {
	console.Door
	Registry *registration.Service
	// Holidays are those of the clocks of approval.
	Holidays registration.Holidays
	Flights  *flight.Recorder
	// Docs is the URL of the pages of cause codes, with a trailing slash.
	Docs string
	// Holds reports whether the account is an operator of the tenant; errors are
	// errs.Forbidden, errs.Unavailable.
	Holds     console.May
	RequestID func(*http.Request) string
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

var sign = console.Sign{Owner: "web/pages/operator", Refusal: errs.New(errs.Forbidden, "operator-page", "This page is for operators.")}

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, serve console.Serve) route.Route {
		return h.Route(sign, method, path, h.Holds, serve)
	}
	return []route.Route{
		on(http.MethodGet, Path, h.clients),
		on(http.MethodGet, Path+"/{id}", h.client),
		on(http.MethodGet, Path+"/{id}/{act}", h.ask),
		on(http.MethodPost, Path+"/{id}/{act}", h.decide),
	}
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks() console.Tasks { return h.Task("staff.task.clients", Path) }

// origin prepares the audit event of a decision.
func (h *Handler) origin(r *http.Request, id session.Identity) audit.Event {
	return audit.Event{
		Tenant: id.Person.Tenant, Time: h.Clock.Now(), PersonID: id.Person.ID, SessionID: id.Session.Hash,
		Network: h.Session.Address(r), RequestID: h.RequestID(r),
	}
}
