package federation

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/identity/federation/saml"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// BeginPath leads to a provider, CallbackPath is where browsers come back and
// LogoutPath where an OpenID provider tells of sessions that ended. A SAML provider
// reads MetadataPath and posts its answers to ReceivePath. {provider} is its id.
const (
	BeginPath    = "/signin/with/{provider}"
	CallbackPath = BeginPath + "/callback"
	LogoutPath   = BeginPath + "/logout"
	ReceivePath  = BeginPath + "/acs"
	MetadataPath = BeginPath + "/metadata"
	owner        = "web/federation"
	// purpose is that of the token which binds an attempt to browser and session.
	purpose = "signin-elsewhere"
	// purposeLink is that of the token by which a page of ours asks for a link: who
	// is sent here by another site links nothing.
	purposeLink = "signin-elsewhere-link"
	// factorsPath is where people see their links.
	factorsPath = "/factors"
	// maxForm bounds what a provider posts, in bytes.
	maxForm = 160 << 10
	// longestNext bounds where a log-in leads, in bytes: it has to fit into a cookie.
	longestNext = 1 << 10
)

// At gives one of the paths for a provider.
func At(path, provider string) string { return strings.Replace(path, "{provider}", provider, 1) }

// Accounts makes, links and ends sessions; identity.Service does.
type Accounts interface {
	SignInUpstream(ctx context.Context, tenant string, u identity.Upstream, m identity.Meta) (identity.SignInResult, error)
	LinkUpstream(ctx context.Context, tenant, secret string, u identity.Upstream, m identity.Meta) error
	UpstreamOf(ctx context.Context, sess identity.Session) (string, error)
	EndUpstream(ctx context.Context, tenant, provider string, e identity.UpstreamEnd, m identity.Meta) (int, error)
	RefuseUpstream(ctx context.Context, tenant, provider, reason string, m identity.Meta) error
}

// Deps is what the handlers work with.
type Deps struct {
	// Providers are those of the tenant, in the order of the configuration.
	Providers []federation.Client
	Accounts  Accounts
	Session   *session.Manager
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
	on := func(path, why string, serve func(http.ResponseWriter, *http.Request, federation.Client)) route.Route {
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
		{Method: http.MethodPost, Path: ReceivePath, Auth: route.None, PHI: route.NoPHI, Limit: "authorize", Owner: owner,
			Reason: "another site posts through a browser, by specification; answered with our own GET", Handler: h.at(h.receive)},
		{Method: http.MethodGet, Path: MetadataPath, Auth: route.None, PHI: route.NoPHI, Owner: owner,
			Reason: "the provider reads who we are", Handler: h.at(h.metadata)},
	}
}

// at finds the provider of the path.
func (h *Handler) at(serve func(http.ResponseWriter, *http.Request, federation.Client)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := mux.Vars(r)["provider"]
		i := slices.IndexFunc(h.Providers, func(c federation.Client) bool { return c.About().ID == id })
		if i < 0 {
			h.absent(w, r)
			return
		}
		serve(w, r, h.Providers[i])
	})
}

// absent answers for a provider that there is not, or that speaks another protocol.
func (h *Handler) absent(w http.ResponseWriter, r *http.Request) {
	h.Page(w, r, errs.New(errs.NotFound, "provider-not-found", "There is no such identity provider."))
}

// Links gives where a signed-in person links an account of a provider of theirs that
// is not linked yet.
func (h *Handler) Links(r *http.Request, p identity.Person, have []identity.Factor) []pages.Elsewhere {
	audience := federation.ForPatients
	if p.Role.Staff() {
		audience = federation.ForStaff
	}
	var out []pages.Elsewhere
	for _, c := range h.Providers {
		c := c.About()
		linked := slices.ContainsFunc(have, func(f identity.Factor) bool { id, _ := f.Upstream(); return id == c.ID })
		if linked || !slices.Contains(c.For, audience) {
			continue
		}
		out = append(out, pages.Elsewhere{
			Name: c.Name,
			URL:  h.Session.Path(At(BeginPath, c.ID)) + "?" + url.Values{"link": {h.Session.Token(r, purposeLink)}}.Encode(),
		})
	}
	return out
}

// Offers gives the providers of a sign-in page; next is where the log-in leads.
func (h *Handler) Offers(a federation.Audience, next string) []pages.Elsewhere {
	var out []pages.Elsewhere
	for _, c := range h.Providers {
		c := c.About()
		if !slices.Contains(c.For, a) {
			continue
		}
		to := h.Session.Path(At(BeginPath, c.ID))
		if next != "" {
			to += "?" + url.Values{"next": {next}}.Encode()
		}
		out = append(out, pages.Elsewhere{Name: c.Name, URL: to})
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
	for _, c := range h.Providers {
		if c.About().ID == provider {
			return pages.Elsewhere{Name: c.About().Name, URL: c.LogoutURL(ctx, h.Issuer+"/signed-out")}
		}
	}
	return pages.Elsewhere{}
}

// Name gives the name of a provider by its id, "" for one that there is not.
func (h *Handler) Name(id string) string {
	for _, c := range h.Providers {
		if c.About().ID == id {
			return c.About().Name
		}
	}
	return ""
}

// begin sends the browser to the provider.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, c federation.Client) {
	trip := federation.Trip{Browser: h.Session.Token(r, purpose), Next: session.Single(r.URL.Query(), "next")}
	if len(trip.Next) > longestNext {
		trip.Next = ""
	}
	if r.URL.Query().Has("link") {
		if err := h.Session.CheckToken(r, purposeLink, session.Single(r.URL.Query(), "link")); err != nil {
			h.Page(w, r, err)
			return
		}
		trip.Link = true
	}
	d, err := c.Depart(r.Context(), trip, trip.Link)
	if err != nil {
		h.fail(w, r, c, err)
		return
	}
	if d.Kept != "" {
		h.Session.KeepTrip(w, d.Kept)
	}
	session.SeeOther(w, r, d.To)
}

// callback reads what the browser brings back.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request, c federation.Client) {
	kept := h.Session.Trip(r)
	if kept != "" {
		h.Session.ForgetTrip(w)
	}
	back, err := c.Land(r.Context(), federation.Return{Query: r.URL.Query(), Kept: kept, Browser: h.Session.Token(r, purpose)})
	if err != nil {
		h.refuse(w, r, c, err)
		return
	}
	h.arrive(w, r, c, back)
}

// arrive signs in whom the provider names.
func (h *Handler) arrive(w http.ResponseWriter, r *http.Request, c federation.Client, back federation.Arrived) {
	p := c.About()
	u := identity.Upstream{
		Provider: p.ID, Subject: back.Subject, Session: back.Session, Level: p.Level(back.Said),
		Answer: back.Answer, Until: back.Until, Said: p.Shown(back.Said),
	}
	if back.Link {
		h.link(w, r, c, u)
		return
	}
	var err error
	if u.Named, err = p.Identify(r.Context(), h.Find, h.Base, back.Said); err != nil {
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
func (h *Handler) link(w http.ResponseWriter, r *http.Request, c federation.Client, u identity.Upstream) {
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
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, c federation.Client, err error) {
	h.Log(r.Context(), c.About().ID, err)
	h.Page(w, r, err)
}

// refuse records that an answer does not count, and shows the page of it.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, c federation.Client, err error) {
	if !errs.Is(err, errs.AccessDenied) {
		h.fail(w, r, c, err)
		return
	}
	reason := errs.As(err).Code
	if why := (*federation.Refused)(nil); errors.As(err, &why) {
		reason = why.Reason
	}
	if lost := h.Accounts.RefuseUpstream(r.Context(), h.Session.Tenant(r), c.About().ID, reason, h.Session.Meta(r, "")); lost != nil {
		err = lost
	}
	h.fail(w, r, c, err)
}

// receive takes what a SAML provider posts through a browser. The browser sends no
// cookie with it, and none may be set: it comes for the answer by a GET of its own.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, c federation.Client) {
	w.Header().Set("Cache-Control", "no-store")
	provider, ok := c.(*saml.Client)
	if !ok {
		h.absent(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.Page(w, r, errs.Wrap(err, errs.InvalidRequest, "form-unreadable", "The form cannot be read or is too long."))
		return
	}
	to, again, err := provider.Receive(r.Context(), r.PostForm)
	switch {
	case err != nil:
		h.refuse(w, r, c, err)
	case again:
		session.SeeOther(w, r, h.Session.Path(At(BeginPath, c.About().ID)))
	default:
		session.SeeOther(w, r, to)
	}
}

// metadata tells a SAML provider who we are.
func (h *Handler) metadata(w http.ResponseWriter, r *http.Request, c federation.Client) {
	provider, ok := c.(*saml.Client)
	if !ok {
		h.absent(w, r)
		return
	}
	raw, media, err := provider.Own()
	if err != nil {
		h.fail(w, r, c, err)
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(raw)
}

// ended ends the sessions of which a provider says that they ended there (OIDC
// Back-Channel Logout §2.8).
func (h *Handler) ended(w http.ResponseWriter, r *http.Request, c federation.Client) {
	w.Header().Set("Cache-Control", "no-store")
	provider, ok := c.(*openid.Client)
	if !ok {
		h.absent(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		h.Refuse(w, r, errs.Wrap(err, errs.InvalidRequest, "form-unreadable", "The form cannot be read or is too long."))
		return
	}
	e, err := provider.Logout(r.Context(), session.Single(r.PostForm, "logout_token"))
	if err == nil {
		_, err = h.Accounts.EndUpstream(r.Context(), h.Session.Tenant(r), provider.Provider.ID,
			identity.UpstreamEnd{Subject: e.Subject, Session: e.Session, Answer: e.Answer, Until: e.Until}, h.Session.Meta(r, ""))
	}
	if err != nil {
		h.Log(r.Context(), provider.Provider.ID, err)
		h.Refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusOK)
}
