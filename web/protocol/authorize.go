package protocol

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
)

// maxAuthorize is the greatest size of an authorization request in bytes.
const maxAuthorize = 16 << 10

// Starter begins authorization requests; oauth/flow is one.
type Starter interface {
	Start(ctx context.Context, tenant string, v url.Values, who flow.Visitor) (oauth.Pending, error)
	RefusalURL(r *flow.Refusal) string
}

// AuthorizeDeps is what the authorization endpoint works with.
type AuthorizeDeps struct {
	Flow Starter
	// Visitor tells who is in front of the browser.
	Visitor func(*http.Request) flow.Visitor
	Tenant  func(*http.Request) string
	// Page shows an error that must not be redirected.
	Page func(http.ResponseWriter, *http.Request, error)
	// FlowPath leads to a request's next step.
	FlowPath func(oauth.Pending) string
	// SelfPath is the endpoint's own path.
	SelfPath string
}

// Authorize is the authorization endpoint for GET (SMART AZ-01). A valid
// request is stored for the browser, which is sent to the first step.
func Authorize(d AuthorizeDeps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.URL.RawQuery) > maxAuthorize {
			d.Page(w, r, errs.New(errs.InvalidRequest, "request-too-long", "The authorization request is too long."))
			return
		}
		v, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			d.Page(w, r, errs.Wrap(err, errs.InvalidRequest, "query-malformed", "The query of the authorization request cannot be read."))
			return
		}
		p, err := d.Flow.Start(r.Context(), d.Tenant(r), v, d.Visitor(r))
		if err != nil {
			d.refuse(w, r, err)
			return
		}
		redirect(w, r, d.FlowPath(p))
	})
}

// AuthorizePost is the authorization endpoint for POST (AZ-02). The form comes
// from the app's site, so the browser leaves our cookies out; the answer leads
// it to the same request as a GET, which carries them (D9).
func AuthorizePost(d AuthorizeDeps) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
			d.Page(w, r, errs.New(errs.UnsupportedMedia, "content-type", "An authorization request by POST is application/x-www-form-urlencoded."))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxAuthorize)
		if err := r.ParseForm(); err != nil {
			d.Page(w, r, errs.Wrap(err, errs.InvalidRequest, "form-malformed", "The form of the authorization request cannot be read."))
			return
		}
		if len(r.URL.RawQuery) > 0 {
			d.Page(w, r, errs.New(errs.InvalidRequest, "query-beside-form", "An authorization request by POST carries its parameters in the form only."))
			return
		}
		redirect(w, r, d.SelfPath+"?"+r.PostForm.Encode())
	})
}

// refuse sends the error to the app when its address is known to be its own,
// and to a page otherwise (AZ-05).
func (d *AuthorizeDeps) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *flow.Refusal
	if errors.As(err, &refusal) && refusal.RedirectURI != "" {
		redirect(w, r, d.Flow.RefusalURL(refusal))
		return
	}
	d.Page(w, r, err)
}

func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, to, http.StatusSeeOther)
}
