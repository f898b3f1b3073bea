package consent

import (
	"net/http"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// DevicePath is where people type the code of a device (RFC 8628 §3.2).
const DevicePath = "/device"

// deviceRoutes serve the pages that come before and after the steps. Guessing is
// slowed down as guessing passwords is.
func (h *Handler) deviceRoutes() []route.Route {
	on := func(method, path, why string, serve http.HandlerFunc) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.None, PHI: route.NoPHI, Limit: "signin", Owner: owner, Reason: why,
			Handler: h.Session.Protect(h.Session.Load(serve)),
		}
	}
	return []route.Route{
		on(http.MethodGet, DevicePath, "asks for the code of a device; the person signs in afterwards (RFC 8628 §3.3)", h.askDevice),
		on(http.MethodPost, DevicePath, "begins the log-in for a device; a code tells nothing and gives nothing", h.takeDevice),
		on(http.MethodGet, DevicePath+"/done", "says that the device has its answer; it knows nothing", h.deviceDone),
	}
}

// askDevice asks for the code. One that came with the link is only shown: the
// person compares it and goes on (RFC 8628 §3.3.1).
func (h *Handler) askDevice(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get(pages.FieldUserCode)
	if len(code) > 64 {
		code = ""
	}
	h.Kit.Render(w, r, http.StatusOK, pages.Device{Frame: h.deviceFrame(r), Action: h.Session.Path(DevicePath), Code: code, Linked: code != ""})
}

func (h *Handler) deviceFrame(r *http.Request) pages.Frame {
	f := pages.Frame{Lang: h.Kit.Lang(r), CSRF: h.Session.Token(r, session.PurposePage), Now: h.Clock.Now(), Standing: true}
	if id, ok := session.From(r); ok {
		f.SignedInAs, f.Staff = id.Person.Name, id.Person.Role.Staff()
	}
	return f
}

// takeDevice begins the steps for the device.
func (h *Handler) takeDevice(w http.ResponseWriter, r *http.Request) {
	again := func(status int, fault pages.FieldError) {
		f := h.deviceFrame(r)
		f.Errors = []pages.FieldError{fault}
		typed := r.PostFormValue(pages.FieldUserCode)
		if len(typed) > 64 {
			typed = ""
		}
		h.Kit.Render(w, r, status, pages.Device{Frame: f, Action: h.Session.Path(DevicePath), Code: typed})
	}
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		again(http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	p, err := h.Flow.BeginDevice(r.Context(), h.Session.Tenant(r), r.PostFormValue(pages.FieldUserCode), h.Visitor(r))
	if errs.Is(err, errs.NotFound) {
		again(http.StatusUnprocessableEntity, pages.FieldError{Field: pages.FieldUserCode, Key: pages.ErrUserCode})
		return
	}
	if err != nil {
		h.Page(w, r, err)
		return
	}
	seeOther(w, r, h.FirstPath(p))
}

// deviceDone says that the device goes on by itself.
func (h *Handler) deviceDone(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	name, err := h.Flow.RegisteredName(r.Context(), h.Session.Tenant(r), q.Get("client"))
	if err != nil {
		h.Page(w, r, err)
		return
	}
	h.Kit.Render(w, r, http.StatusOK, pages.Done{Frame: h.deviceFrame(r), AppName: name, Allowed: !q.Has("error"), OnDevice: true})
}
