package signin

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// EndPath is the end_session_endpoint: apps send a browser here to sign the
// person out (OpenID Connect RP-Initiated Logout).
const EndPath = "/end-session"

// maxAsked bounds the parameters of such a request, in bytes; an id_token is the
// longest.
const maxAsked = 16 << 10

// leaveParameters are what is read of such a request, and posted back by the
// page that asks.
var leaveParameters = []string{"id_token_hint", "client_id", "post_logout_redirect_uri", "state"}

// Leaving is what an app asked for, judged.
type Leaving struct {
	// Redirect is the registered address to which the browser goes afterwards,
	// with the app's state; "" for none.
	Redirect string
	// AppName is the app, PersonID whom its id_token names; each may be empty.
	AppName, PersonID string
}

// endSession signs out at once the person whom the app's id_token names, and asks
// anybody else.
func (h *Handlers) endSession(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	if len(r.URL.RawQuery) > maxAsked {
		h.d.Refuse(w, r, errs.New(errs.InvalidRequest, "request-too-long", "The request to sign out is too long."))
		return
	}
	asked, err := leaveRequest(r.URL.Query())
	if err != nil {
		h.d.Refuse(w, r, err)
		return
	}
	leaving, err := h.d.Leaving(r.Context(), h.d.Sessions.Tenant(r), asked)
	if err != nil {
		h.d.Refuse(w, r, err)
		return
	}
	id, signedIn := session.From(r)
	if signedIn && leaving.PersonID != id.Person.ID {
		f := h.frame(r, goal{})
		f.AppRedirect = leaving.Redirect
		h.d.Pages.Render(w, r, http.StatusOK, pages.Leave{Frame: f, Action: h.path(leavePath), AppName: leaving.AppName, Asked: asked, StayURL: h.path(homePath)})
		return
	}
	if signedIn {
		h.d.Sessions.End(w)
		forgetShared(w, r)
		if err := h.d.Accounts.SignOut(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), h.d.Sessions.Meta(r, "")); err != nil {
			h.d.Refuse(w, r, err)
			return
		}
	}
	h.left(w, r, leaving, "")
}

// left goes where the app asked, or to the page that says that it is done; from is
// the provider that may be left too.
func (h *Handlers) left(w http.ResponseWriter, r *http.Request, l Leaving, from string) {
	to := l.Redirect
	if to == "" {
		to = h.path(leftPath)
		if from != "" {
			to += "?" + url.Values{"from": {from}}.Encode()
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// leaveRequest takes what is read of a request. Errors: errs.InvalidRequest for a
// parameter that comes twice.
func leaveRequest(from url.Values) (url.Values, error) {
	out := url.Values{}
	for _, name := range leaveParameters {
		switch len(from[name]) {
		case 0:
		case 1:
			out.Set(name, from.Get(name))
		default:
			return nil, errs.New(errs.InvalidRequest, "duplicate-parameter", "The parameter "+name+" is repeated.")
		}
	}
	return out, nil
}

// endSessionPost takes the same as a form. It comes from another site, without
// the cookie of the session, and is answered by the GET.
func (h *Handlers) endSessionPost(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxAsked)
	if err := r.ParseForm(); err != nil {
		h.d.Refuse(w, r, errs.Wrap(err, errs.InvalidRequest, "form-malformed", "The form cannot be read or is too long."))
		return
	}
	asked, err := leaveRequest(r.PostForm)
	if err != nil {
		h.d.Refuse(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, strings.TrimSuffix(h.path(EndPath)+"?"+asked.Encode(), "?"), http.StatusSeeOther)
}
