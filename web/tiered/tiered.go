package tiered

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/oauth/tiered"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// BeginPath leads to the provider of the request that flow names, and
// CallbackPath is where providers send browsers back.
const (
	BeginPath    = "/signin/idp"
	CallbackPath = "/signin/idp/callback"
)

// Accounts makes sessions; identity.Service does.
type Accounts interface {
	SignInVouched(ctx context.Context, tenant string, v identity.Voucher, m identity.Meta) (identity.SignInResult, error)
}

// Deps is what the handlers work with.
type Deps struct {
	LogIn    *tiered.Service
	Flow     *flow.Service
	Accounts Accounts
	Session  *session.Manager
	// Visitor tells who is in front of the browser.
	Visitor func(*http.Request) flow.Visitor
	// Page shows an error as a page.
	Page func(http.ResponseWriter, *http.Request, error)
}

// Routes lists what the package serves.
func (d Deps) Routes() []route.Route {
	on := func(path, why string, serve http.HandlerFunc) route.Route {
		return route.Route{
			Method: http.MethodGet, Path: path, Auth: route.None, PHI: route.NoPHI, Limit: "authorize", Owner: "web/tiered", Reason: why,
			Handler: d.Session.Load(serve),
		}
	}
	return []route.Route{
		on(BeginPath, "nobody is signed in yet; the request belongs to this browser", d.begin),
		on(CallbackPath, "another server sends people here; the state is judged before anything else", d.callback),
	}
}

// begin sends the browser to the provider.
func (d Deps) begin(w http.ResponseWriter, r *http.Request) {
	p, who, ok := d.load(w, r, r.URL.Query().Get("flow"))
	if !ok {
		return
	}
	if p.Request.IDP == "" {
		session.SeeOther(w, r, d.Session.Path("/flow/"+p.ID))
		return
	}
	to, err := d.LogIn.Begin(r.Context(), p.ID, p.Request.IDP)
	if err != nil {
		d.fail(w, r, p, who, err)
		return
	}
	d.Session.RememberFlow(w, p.ID)
	session.SeeOther(w, r, to)
}

// callback reads what the provider sends back. A state that was not made for this
// browser ends the request that waits in it with server_error (UDP-34).
func (d Deps) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	waiting := d.Session.RememberedFlow(r)
	id := d.LogIn.Flow(r.Context(), session.Single(q, "state"))
	sound := id != ""
	if !sound {
		id = waiting
	}
	p, who, ok := d.load(w, r, id)
	if !ok {
		return
	}
	d.Session.ForgetFlow(w)
	switch {
	case !sound || p.Request.IDP == "":
		d.fail(w, r, p, who, errs.New(errs.Internal, "idp-state", "The answer of the identity provider was not asked for."))
	case q.Get("error") == "access_denied":
		d.fail(w, r, p, who, errs.New(errs.AccessDenied, "idp-denied", "The person did not sign in at the identity provider."))
	case q.Has("error"):
		d.fail(w, r, p, who, errs.New(errs.Internal, "idp-error", "The identity provider could not sign the person in."))
	default:
		d.finish(w, r, p, who)
	}
}

// finish signs the person in and goes on with the request, which asks for consent
// as every request does (UDP-35).
func (d Deps) finish(w http.ResponseWriter, r *http.Request, p oauth.Pending, who flow.Visitor) {
	q := r.URL.Query()
	v, err := d.LogIn.Finish(r.Context(), tiered.Returned{State: session.Single(q, "state"), Code: session.Single(q, "code"), Issuer: session.Single(q, "iss")})
	if err != nil {
		d.fail(w, r, p, who, err)
		return
	}
	res, err := d.Accounts.SignInVouched(r.Context(), d.Session.Tenant(r), v, d.Session.Meta(r, ""))
	switch {
	case err != nil:
		d.fail(w, r, p, who, err)
	case res.NeedsSecondFactor:
		// What the provider asked of the person is not known, so both factors are
		// asked for here.
		session.SeeOther(w, r, d.Session.Path("/signin")+"?flow="+url.QueryEscape(p.ID))
	default:
		d.Session.Start(w, res.Secret)
		d.Session.Know(w, res.Device)
		session.SeeOther(w, r, d.Session.Path("/flow/"+p.ID))
	}
}

// load gives the request of this browser, or answers with a page.
func (d Deps) load(w http.ResponseWriter, r *http.Request, id string) (oauth.Pending, flow.Visitor, bool) {
	who := d.Visitor(r)
	p, err := d.Flow.Load(r.Context(), d.Session.Tenant(r), id, who)
	if errs.Is(err, errs.NotFound) {
		err = errs.New(errs.Forbidden, "request-not-found", "This request does not exist here or has ended.")
	}
	if err != nil {
		d.Page(w, r, err)
	}
	return p, who, err == nil
}

// fail ends the request and tells the app why.
func (d Deps) fail(w http.ResponseWriter, r *http.Request, p oauth.Pending, who flow.Visitor, cause error) {
	if errs.Is(cause, errs.Unavailable) {
		d.Page(w, r, cause)
		return
	}
	err := d.Flow.Refuse(r.Context(), p, who, errs.As(cause))
	var refusal *flow.Refusal
	if errors.As(err, &refusal) {
		session.SeeOther(w, r, d.Flow.RefusalURL(refusal))
		return
	}
	d.Page(w, r, err)
}
