package consent

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Deps is what the handlers work with.
type Deps struct {
	Flow    *flow.Service
	Kit     *pages.Kit
	Session *session.Manager
	// Visitor tells who is in front of the browser.
	Visitor func(*http.Request) flow.Visitor
	// Page shows an error as a page.
	Page  func(http.ResponseWriter, *http.Request, error)
	Clock clock.Clock
}

// Handler serves the steps under /flow/{id}.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

const owner = "web/pages/consent"

// Path gives the address of a request's next step.
func (h *Handler) Path(p oauth.Pending) string { return h.Session.Path("/flow/" + p.Name()) }

// FirstPath leads to the first page of a new request: straight to the consent
// form when it is settled already who asks for which record. That page looks
// again and leads elsewhere when something is missing.
func (h *Handler) FirstPath(p oauth.Pending) string {
	if p.Capacity.Kind != "" {
		return h.pathOf(flow.StepConsent, p, flow.Visitor{})
	}
	return h.Path(p)
}

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, phi route.Class, serve func(http.ResponseWriter, *http.Request)) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Flow, PHI: phi, Limit: "page", Owner: owner,
			Handler: h.Session.Protect(h.Session.Look(http.HandlerFunc(serve))),
		}
	}
	cancel := on(http.MethodGet, "/flow/{id}/cancel", route.NoPHI, h.cancelByLink)
	cancel.Handler = h.Session.Protect(h.Session.Load(http.HandlerFunc(h.cancelByLink))) // it decides
	return append(h.deviceRoutes(), []route.Route{
		on(http.MethodGet, "/flow/{id}", route.NoPHI, h.next),
		cancel,
		on(http.MethodGet, "/flow/{id}/patient", route.Identifiers, h.askPatient),
		on(http.MethodPost, "/flow/{id}/patient", route.Identifiers, h.takePatient),
		on(http.MethodGet, "/flow/{id}/consent", route.Identifiers, h.askConsent),
		on(http.MethodPost, "/flow/{id}/consent", route.Identifiers, h.takeConsent),
	}...)
}

// load gives the request of this browser, or answers with a page.
func (h *Handler) load(w http.ResponseWriter, r *http.Request) (oauth.Pending, flow.Visitor, bool) {
	who := h.Visitor(r)
	p, err := h.Flow.Load(r.Context(), h.Session.Tenant(r), mux.Vars(r)["id"], who)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.Forbidden, "request-not-found", "This request does not exist here or has ended.")
	}
	if err != nil {
		h.Page(w, r, err)
		return p, who, false
	}
	return p, who, true
}

// at loads the request and makes sure that it stands at the step; otherwise
// the browser is sent to the step it does stand at.
func (h *Handler) at(w http.ResponseWriter, r *http.Request, want flow.Step) (oauth.Pending, flow.Visitor, bool) {
	p, who, ok := h.load(w, r)
	if !ok {
		return p, who, false
	}
	step, p, err := h.Flow.Next(r.Context(), p, who)
	if err != nil {
		h.fail(w, r, err)
		return p, who, false
	}
	if step != want && (want != flow.StepPatient || step == flow.StepSignIn) {
		seeOther(w, r, h.Path(p))
		return p, who, false
	}
	return p, who, true
}

// next sends the browser to the page of the next step.
func (h *Handler) next(w http.ResponseWriter, r *http.Request) {
	p, who, ok := h.load(w, r)
	if !ok {
		return
	}
	step, p, err := h.Flow.Next(r.Context(), p, who)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	seeOther(w, r, h.pathOf(step, p, who))
}

func (h *Handler) pathOf(step flow.Step, p oauth.Pending, who flow.Visitor) string {
	back := "?flow=" + p.Name()
	switch step {
	case flow.StepSignIn:
		if p.Request.IDP != "" {
			return h.Session.Path("/signin/idp") + back
		}
		return h.Session.Path("/signin") + back
	case flow.StepSecondFactor:
		level, again := h.Flow.Lacks(p, who)
		ask := url.Values{"flow": {p.Name()}}
		if again {
			ask.Set("again", "1")
		}
		session.AskFor(ask, level)
		return h.Session.Path("/signin/code") + "?" + ask.Encode()
	case flow.StepPatient:
		return h.Path(p) + "/patient"
	default:
		return h.Path(p) + "/consent"
	}
}

// CancelPath gives the address by which the log-in pages leave a request. The
// token binds it to this browser, because following a link must not be enough.
func (h *Handler) CancelPath(r *http.Request, p oauth.Pending) string {
	return h.Path(p) + "/cancel?" + pages.FieldCSRF + "=" + url.QueryEscape(h.Session.Token(r, cancelPurpose+p.ID))
}

const cancelPurpose = "cancel:"

// cancelByLink tells the app that nobody signed in.
func (h *Handler) cancelByLink(w http.ResponseWriter, r *http.Request) {
	p, who, ok := h.load(w, r)
	if !ok {
		return
	}
	if err := h.Session.CheckToken(r, cancelPurpose+p.ID, r.URL.Query().Get(pages.FieldCSRF)); err != nil {
		h.Page(w, r, err)
		return
	}
	h.deny(w, r, p, who)
}

// deny ends the request and leads back to the app.
func (h *Handler) deny(w http.ResponseWriter, r *http.Request, p oauth.Pending, who flow.Visitor) {
	to, err := h.Flow.Deny(r.Context(), p, who)
	if err != nil {
		h.Page(w, r, err)
		return
	}
	seeOther(w, r, to)
}

// Waiting tells the log-in pages about the request that waits for them.
func (h *Handler) Waiting(r *http.Request, id string) (pages.Waiting, bool) {
	who := h.Visitor(r)
	p, err := h.Flow.Load(r.Context(), h.Session.Tenant(r), id, who)
	if err != nil {
		return pages.Waiting{}, false
	}
	return pages.Waiting{
		AppName: h.Flow.AppName(r.Context(), p), Next: h.Path(p),
		Cancel: h.CancelPath(r, p), AppRedirect: p.Request.RedirectURI,
	}, true
}

// checked verifies the form token.
func (h *Handler) checked(w http.ResponseWriter, r *http.Request) bool {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		h.Page(w, r, err)
		return false
	}
	return true
}

// fail sends a refusal to the app and shows everything else as a page.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *flow.Refusal
	if errors.As(err, &refusal) && refusal.RedirectURI != "" {
		seeOther(w, r, h.Flow.RefusalURL(refusal))
		return
	}
	h.Page(w, r, err)
}

// frame gives the parts that all steps share.
func (h *Handler) frame(r *http.Request, p oauth.Pending, who flow.Visitor) pages.Frame {
	return pages.Frame{
		Lang: h.Kit.Lang(r), SignedInAs: who.Person.Name, CSRF: h.Session.Token(r, session.PurposePage),
		AppRedirect: p.Request.RedirectURI, Now: h.Clock.Now(),
		SessionEnds: who.Session.IdleEnds, StayURL: h.Session.Path(pages.StayPath),
		Staff: who.Person.Role.Staff(), Standing: true,
	}
}

func seeOther(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to, http.StatusSeeOther)
}
