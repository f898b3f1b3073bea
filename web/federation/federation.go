package federation

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// BeginPath leads to a provider, CallbackPath is where it sends browsers back and
// LogoutPath where it tells of sessions that ended. {provider} is its id.
const (
	BeginPath    = "/signin/with/{provider}"
	CallbackPath = BeginPath + "/callback"
	LogoutPath   = BeginPath + "/logout"
	owner        = "web/federation"
	// purpose is that of the token which binds an attempt to browser and session.
	purpose = "signin-elsewhere"
	// purposeLink is that of the token by which a page of ours asks for a link: who
	// is sent here by another site links nothing.
	purposeLink = "signin-elsewhere-link"
	// factorsPath is where people see their links.
	factorsPath = "/factors"
	// maxForm bounds what a provider posts, in bytes.
	maxForm = 128 << 10
)

// At gives one of the paths for a provider.
func At(path, provider string) string { return strings.Replace(path, "{provider}", provider, 1) }

// Accounts makes, links and ends sessions; identity.Service does.
type Accounts interface {
	SignInUpstream(ctx context.Context, tenant string, u identity.Upstream, m identity.Meta) (identity.SignInResult, error)
	LinkUpstream(ctx context.Context, tenant, secret string, u identity.Upstream, m identity.Meta) error
	UpstreamOf(ctx context.Context, sess identity.Session) (string, error)
	EndUpstream(ctx context.Context, tenant, provider string, e identity.UpstreamEnd, m identity.Meta) (int, error)
}

// Deps is what the handlers work with.
type Deps struct {
	// OpenID are the providers of the tenant, in the order of the configuration.
	OpenID   []*openid.Client
	Accounts Accounts
	Session  *session.Manager
	// Find looks FHIR resources up below Base.
	Find federation.Finder
	Base string
	// Issuer is the address of the tenant.
	Issuer string
	// Page shows an error as a page, Refuse to a program.
	Page, Refuse func(http.ResponseWriter, *http.Request, error)
	// Log tells operators why an answer was not accepted.
	Log func(ctx context.Context, provider string, err error)
}

// Handler serves the addresses.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(path, why string, serve func(http.ResponseWriter, *http.Request, *openid.Client)) route.Route {
		return route.Route{
			Method: http.MethodGet, Path: path, Auth: route.None, PHI: route.NoPHI, Limit: "authorize", Owner: owner, Reason: why,
			Handler: h.Session.Load(h.at(serve)),
		}
	}
	return []route.Route{
		on(BeginPath, "nobody is signed in yet; the browser is remembered in the state", h.begin),
		on(CallbackPath, "another server sends people here; the state is judged before anything else", h.callback),
		{Method: http.MethodPost, Path: LogoutPath, Auth: route.None, PHI: route.NoPHI, Limit: "token", Owner: owner,
			Reason: "the provider proves itself by the signature of its logout token", Handler: h.at(h.ended)},
	}
}

// at finds the provider of the path.
func (h *Handler) at(serve func(http.ResponseWriter, *http.Request, *openid.Client)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := mux.Vars(r)["provider"]
		i := slices.IndexFunc(h.OpenID, func(c *openid.Client) bool { return c.Provider.ID == id })
		if i < 0 {
			h.Page(w, r, errs.New(errs.NotFound, "provider-not-found", "There is no such identity provider."))
			return
		}
		serve(w, r, h.OpenID[i])
	})
}

// Links gives where a signed-in person links an account of a provider of theirs that
// is not linked yet.
func (h *Handler) Links(r *http.Request, p identity.Person, have []identity.Factor) []pages.Elsewhere {
	audience := federation.ForPatients
	if p.Role.Staff() {
		audience = federation.ForStaff
	}
	var out []pages.Elsewhere
	for _, c := range h.OpenID {
		linked := slices.ContainsFunc(have, func(f identity.Factor) bool { id, _ := f.Upstream(); return id == c.Provider.ID })
		if linked || !slices.Contains(c.Provider.For, audience) {
			continue
		}
		out = append(out, pages.Elsewhere{
			Name: c.Provider.Name,
			URL:  h.Session.Path(At(BeginPath, c.Provider.ID)) + "?" + url.Values{"link": {h.Session.Token(r, purposeLink)}}.Encode(),
		})
	}
	return out
}

// Offers gives the providers of a sign-in page; next is where the log-in leads.
func (h *Handler) Offers(a federation.Audience, next string) []pages.Elsewhere {
	var out []pages.Elsewhere
	for _, c := range h.OpenID {
		if !slices.Contains(c.Provider.For, a) {
			continue
		}
		to := h.Session.Path(At(BeginPath, c.Provider.ID))
		if next != "" {
			to += "?" + url.Values{"next": {next}}.Encode()
		}
		out = append(out, pages.Elsewhere{Name: c.Provider.Name, URL: to})
	}
	return out
}

// From gives the id of the provider at which the session of a request began and that
// can be left too, "" for none.
func (h *Handler) From(r *http.Request) string {
	id, ok := session.From(r)
	if !ok {
		return ""
	}
	// Without an answer nothing is offered.
	from, _ := h.Accounts.UpstreamOf(r.Context(), id.Session)
	return from
}

// LeaveAt gives the name of a provider and where somebody signs out there; no URL
// where that cannot be done.
func (h *Handler) LeaveAt(ctx context.Context, provider string) pages.Elsewhere {
	for _, c := range h.OpenID {
		if c.Provider.ID == provider {
			return pages.Elsewhere{Name: c.Provider.Name, URL: c.LogoutURL(ctx, h.Issuer+"/signed-out")}
		}
	}
	return pages.Elsewhere{}
}

// Name gives the name of a provider by its id, "" for one that there is not.
func (h *Handler) Name(id string) string {
	for _, c := range h.OpenID {
		if c.Provider.ID == id {
			return c.Provider.Name
		}
	}
	return ""
}

// begin sends the browser to the provider.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, c *openid.Client) {
	trip := openid.Trip{Browser: h.Session.Token(r, purpose), Next: session.Single(r.URL.Query(), "next")}
	if r.URL.Query().Has("link") {
		if err := h.Session.CheckToken(r, purposeLink, session.Single(r.URL.Query(), "link")); err != nil {
			h.Page(w, r, err)
			return
		}
		trip.Link = true
	}
	to, err := c.Begin(r.Context(), trip, trip.Link)
	if err != nil {
		h.fail(w, r, c, err)
		return
	}
	session.SeeOther(w, r, to)
}

// callback reads what the provider sends back.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request, c *openid.Client) {
	q := r.URL.Query()
	back, err := c.Finish(r.Context(), openid.Returned{
		State: session.Single(q, "state"), Code: session.Single(q, "code"), Issuer: session.Single(q, "iss"), Error: session.Single(q, "error"),
	}, h.Session.Token(r, purpose))
	if err != nil {
		h.fail(w, r, c, err)
		return
	}
	h.arrive(w, r, c, back)
}

// arrive signs in whom the provider names.
func (h *Handler) arrive(w http.ResponseWriter, r *http.Request, c *openid.Client, back openid.Arrived) {
	u := identity.Upstream{
		Provider: c.Provider.ID, Subject: back.Subject, Session: back.Session, Level: c.Provider.Level(back.Said),
		Answer: back.Answer, Until: back.Until, Said: c.Provider.Shown(back.Said),
	}
	if back.Link {
		h.link(w, r, c, u)
		return
	}
	var err error
	if u.Named, err = c.Provider.Identify(r.Context(), h.Find, h.Base, back.Said); err != nil {
		h.fail(w, r, c, err)
		return
	}
	res, err := h.Accounts.SignInUpstream(r.Context(), h.Session.Tenant(r), u, h.Session.Meta(r, ""))
	if err != nil {
		h.fail(w, r, c, err)
		return
	}
	h.Session.Start(w, res.Secret)
	h.Session.Know(w, res.Device)
	if res.NeedsSecondFactor {
		session.SeeOther(w, r, h.Session.Path("/signin/code")+"?"+url.Values{"next": {back.Next}}.Encode())
		return
	}
	session.SeeOther(w, r, h.onward(back.Next, res.Person))
}

// link joins whom the provider signed in with the account that is signed in here. A
// log-in that is too old begins anew and comes back to the list.
func (h *Handler) link(w http.ResponseWriter, r *http.Request, c *openid.Client, u identity.Upstream) {
	err := h.Accounts.LinkUpstream(r.Context(), h.Session.Tenant(r), session.Secret(r), u, h.Session.Meta(r, ""))
	switch {
	case err == nil:
		session.SeeOther(w, r, h.Session.Path(factorsPath)+"?done=added")
	case errs.As(err).Code == "step-up-needed":
		session.SeeOther(w, r, h.Session.Path("/signin/code")+"?"+url.Values{"again": {"1"}, "next": {h.Session.Path(factorsPath)}}.Encode())
	default:
		h.fail(w, r, c, err)
	}
}

// onward is where a log-in leads: an own path, a request that waits, or the start
// page. Whose request it is, is judged there.
func (h *Handler) onward(next string, p identity.Person) string {
	home := h.Session.Path("/home")
	if p.Role.Staff() {
		home = h.Session.Path("/staff")
	}
	if next != "" && !strings.ContainsAny(next, "/\\:?#") {
		return h.Session.Path("/flow/" + url.PathEscape(next))
	}
	return h.Session.Own(next, home)
}

// fail shows why nobody is signed in.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, c *openid.Client, err error) {
	h.Log(r.Context(), c.Provider.ID, err)
	h.Page(w, r, err)
}

// ended ends the sessions of which a provider says that they ended there (OIDC
// Back-Channel Logout §2.8).
func (h *Handler) ended(w http.ResponseWriter, r *http.Request, c *openid.Client) {
	w.Header().Set("Cache-Control", "no-store")
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.Refuse(w, r, errs.Wrap(err, errs.InvalidRequest, "form-unreadable", "The form cannot be read or is too long."))
		return
	}
	e, err := c.Logout(r.Context(), session.Single(r.PostForm, "logout_token"))
	if err == nil {
		_, err = h.Accounts.EndUpstream(r.Context(), h.Session.Tenant(r), c.Provider.ID,
			identity.UpstreamEnd{Subject: e.Subject, Session: e.Session, Answer: e.Answer, Until: e.Until}, h.Session.Meta(r, ""))
	}
	if err != nil {
		h.Log(r.Context(), c.Provider.ID, err)
		h.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}
