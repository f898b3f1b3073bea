package proxy

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Where the pages begin.
const (
	PeoplePath     = "/people"
	HelpingPath    = "/helping"
	InvitationPath = "/invitation"
)

// Deps is what the handlers work with.
type Deps struct {
	Life *lifecycle.Service
	// Use tells what a person who helps does with the access.
	Use func(r *http.Request, id session.Identity, of pages.UseOf) (pages.HelperUse, error)
	// Seen counts what somebody would see under terms.
	Seen func(ctx context.Context, a lifecycle.Actor, id string, t proxy.Terms) (map[string]int, error)
	desk.Desk
	// Zone is where days begin and end; nil means UTC.
	Zone *time.Location
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler {
	if d.Zone == nil {
		d.Zone = time.UTC
	}
	return &Handler{Deps: d}
}

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, f desk.Serve) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.Identifiers, Limit: "page", Owner: "web/pages/proxy",
			Handler: h.Session.Protect(h.Session.Load(h.Session.For(identity.ActLook)(h.Signed(f)))),
		}
	}
	open := func(method string, f http.HandlerFunc) route.Route {
		return route.Route{
			Method: method, Path: InvitationPath + "/{secret}", Auth: route.None, PHI: route.NoPHI, Limit: "signin", Owner: "web/pages/proxy",
			Reason:  "who is invited has no account yet; the page is the same for every link, and asks for the address and a code",
			Handler: h.Session.Protect(h.Session.Load(f)),
		}
	}
	own := func(method, path string, f desk.Serve, typed ...string) route.Route {
		one := on(method, path, f)
		one.Handler = h.Session.Protect(h.Session.Load(h.Session.Long(h.Session.Oneself(one.Handler), typed...)))
		return one
	}
	return []route.Route{
		own(http.MethodGet, PeoplePath+"/invite", h.askInvite),
		own(http.MethodPost, PeoplePath+"/invite", h.invite, invited()...),
		own(http.MethodGet, PeoplePath+"/block", h.askBlock),
		own(http.MethodPost, PeoplePath+"/block", h.block, "name", "email", "relation"),
		own(http.MethodGet, PeoplePath+"/{id}", h.person),
		own(http.MethodGet, PeoplePath+"/{id}/share", h.askShare),
		own(http.MethodPost, PeoplePath+"/{id}/share", h.share, chosen()...),
		own(http.MethodGet, PeoplePath+"/{id}/{act}", h.askAct),
		own(http.MethodPost, PeoplePath+"/{id}/{act}", h.act),
		on(http.MethodGet, HelpingPath, h.helping),
		on(http.MethodGet, HelpingPath+"/{id}", h.helped),
		on(http.MethodGet, HelpingPath+"/{id}/{act}", h.askHelp),
		on(http.MethodPost, HelpingPath+"/{id}/{act}", h.help),
		open(http.MethodGet, h.invitation),
		open(http.MethodPost, h.accept),
	}
}

// Circle gives the cases of the reader's own record that give no access now, and
// the address at which each relation is managed.
func (h *Handler) Circle(r *http.Request, id session.Identity) (out pages.Circle, err error) {
	cases, err := h.Life.Circle(r.Context(), h.Actor(r, id))
	out = pages.Circle{Managed: map[string]string{}, BlockURL: h.Session.Path(PeoplePath + "/block")}
	for _, c := range cases {
		line := h.Line(c, PeoplePath, "")
		switch state := c.At(h.Clock.Now()); {
		case state == proxy.StateActive:
			out.Managed[c.RelationID] = line.URL
		case state == proxy.StateBlocked:
			out.Blocked = append(out.Blocked, line)
		case state.Over():
			out.Past = append(out.Past, line)
		default:
			out.Waiting = append(out.Waiting, line)
		}
	}
	return out, err
}

// invited and chosen name what people type or choose in the forms that take long.
func invited() []string { return []string{"name", "email", "relation", "again"} }
func chosen() []string  { return []string{"fn", "kind", "until", "urgent", "version"} }

// late reports whether a form came whose log-in is not what sharing demands; the
// fields are kept, and the answer is written (LC-01, SM-02, SP-20).
func (h *Handler) late(w http.ResponseWriter, r *http.Request, fields ...string) bool {
	if h.Session.Meets(r, identity.ActShare) {
		return false
	}
	h.Session.Late(w, r, identity.ActShare, fields...)
	return true
}

// agreed says who agrees to what stands on a page, with the answers (RS-06).
func (h *Handler) agreed(r *http.Request, id session.Identity, p pages.Agreed) lifecycle.Actor {
	a := h.Actor(r, id)
	a.Agreed = lifecycle.Agreed(h.Kit.Shown(p))
	return a
}

func caseID(r *http.Request) string { return mux.Vars(r)["id"] }
