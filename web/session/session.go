package session

import (
	"cmp"
	"context"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/web/route"
)

// Sessions looks cookies up; identity.Service is one.
type Sessions interface {
	// Session gives the finished, live session of a cookie and its account.
	// Errors: errs.Unauthenticated, errs.Unavailable.
	Session(ctx context.Context, tenant, secret string, m identity.Meta) (identity.Session, identity.Person, error)
	// Glimpse is Session, from memory within the bound of D17. The same errors.
	Glimpse(ctx context.Context, tenant, secret string, m identity.Meta) (identity.Session, identity.Person, error)
}

// Deps is what a Manager works with.
type Deps struct {
	// PublicURL is how browsers reach the server, such as
	// https://id.example.org; required.
	PublicURL string
	// Base is the path in front of the addresses of the tenant; cookies are
	// named by it, so that a browser is signed in at each tenant apart.
	Base route.Base
	// Tenant gives the tenant of a request; nil means always "default".
	Tenant func(*http.Request) string
	// Sessions is required.
	Sessions Sessions
	// Lapsed gives the account of a finished log-in of this browser that has idled out or
	// run its whole time, and was not ended otherwise; nil keeps no forms of such people.
	// Errors: errs.Unauthenticated, errs.Unavailable.
	Lapsed func(ctx context.Context, tenant, secret string, m identity.Meta) (identity.Person, error)
	IDs    ids.Source
	// Clock tells the age of log-ins; nil is that of the machine.
	Clock clock.Clock
	// Hasher keys the form tokens; required.
	Hasher ids.Hasher
	// TrustedProxies may name the client in X-Forwarded-For; empty means that
	// the TCP peer is the client.
	TrustedProxies []netip.Prefix
	// Refuse writes an error in the form the caller reads (web/problem);
	// required.
	Refuse func(http.ResponseWriter, *http.Request, error)
	// RequestID gives the id that joins the events of a request; nil means
	// none.
	RequestID func(*http.Request) string
	// Demands is the table of assurance; nil means identity.DefaultDemands.
	Demands []identity.DemandRule
	// SignInPath and CodePath are where people without a sufficient session
	// are sent; empty means /signin and /signin/code below Base.
	SignInPath, CodePath string
}

// Manager keeps cookies and form tokens. It is safe for concurrent use.
type Manager struct {
	d      Deps
	origin string
	secure bool
	cross  *http.CrossOriginProtection
}

// New makes a Manager. It fails when PublicURL is not an http or https URL.
func New(d Deps) (*Manager, error) {
	u, err := url.Parse(d.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errs.New(errs.Invalid, "public-url", "The public URL must begin with http:// or https:// and name a host.")
	}
	if d.Tenant == nil {
		d.Tenant = func(*http.Request) string { return "default" }
	}
	if d.Clock == nil {
		d.Clock = clock.System{}
	}
	if d.RequestID == nil {
		d.RequestID = func(*http.Request) string { return "" }
	}
	if d.Demands == nil {
		d.Demands = identity.DefaultDemands()
	}
	d.SignInPath = cmp.Or(d.SignInPath, d.Base.Path("/signin"))
	d.CodePath = cmp.Or(d.CodePath, d.Base.Path("/signin/code"))
	m := &Manager{d: d, origin: u.Scheme + "://" + u.Host, secure: u.Scheme == "https"}
	return m, m.protection()
}

// Identity is who a request comes from.
type Identity struct {
	Session identity.Session
	Person  identity.Person
}

// state is what Load found out about one request.
type state struct {
	id *Identity
	// session, browser and device are the values of the cookies.
	session, browser, device string
	// fault is why the session could not be looked up.
	fault error
}

type key struct{}

func from(r *http.Request) state {
	s, _ := r.Context().Value(key{}).(state)
	return s
}

// From gives the person behind the request; ok is false for a request without
// a finished, live session, and always where Load does not run.
func From(r *http.Request) (id Identity, ok bool) {
	if s := from(r); s.id != nil {
		return *s.id, true
	}
	return Identity{}, false
}

// Secret gives the value of the session cookie, for the use-cases that take
// it: also that of an unfinished or ended session, "" without one.
func Secret(r *http.Request) string { return from(r).session }

// FlowSecret gives the secret that this browser keeps in its flow cookie: an
// authorization request is bound to it. It is "" when the browser sent none
// with a POST; a GET always has one.
func FlowSecret(r *http.Request) string { return from(r).browser }

// Load finds out who a request comes from and goes on in any case: a store
// that is down must not take the help page with it. A browser without a flow
// cookie gets one with its first GET; not with a POST, because a POST from
// another site comes without the Lax cookies that the browser does have. Inside
// another Load it does nothing.
func (m *Manager) Load(next http.Handler) http.Handler { return m.load(next, m.d.Sessions.Session) }

// Look is Load for a page on which nothing is decided: a GET may learn from memory
// who it comes from, within the bound of D17. A POST never does.
func (m *Manager) Look(next http.Handler) http.Handler {
	seen, read := m.load(next, m.d.Sessions.Glimpse), m.Load(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			seen.ServeHTTP(w, r)
			return
		}
		read.ServeHTTP(w, r)
	})
}

// lookUp is Sessions.Session or Sessions.Glimpse.
type lookUp func(ctx context.Context, tenant, secret string, m identity.Meta) (identity.Session, identity.Person, error)

func (m *Manager) load(next http.Handler, look lookUp) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, done := r.Context().Value(key{}).(state); done {
			next.ServeHTTP(w, r)
			return
		}
		s := state{session: m.read(r, sessionCookie), browser: m.read(r, flowCookie), device: m.read(r, deviceCookie)}
		if s.browser == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			s.browser = m.d.Hasher.Secret(m.d.IDs)
			http.SetCookie(w, m.cookie(flowCookie, s.browser, 0))
		}
		if s.session != "" {
			sess, p, err := look(r.Context(), m.d.Tenant(r), s.session, m.meta(r, s, ""))
			switch {
			case err == nil:
				s.id = &Identity{Session: sess, Person: p}
			case !errs.Is(err, errs.Unauthenticated):
				s.fault = err
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, s)))
	})
}

// Require lets only requests through whose session has reached the level. A
// person who follows a link is sent to the sign-in page, or to the page of
// the second factor, and comes back; anything else is refused with
// errs.Unauthenticated.
func (m *Manager) Require(level identity.Level) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s := from(r)
			switch {
			case s.fault != nil:
				m.d.Refuse(w, r, s.fault)
			case s.id == nil:
				m.challenge(w, r, m.d.SignInPath, "", errs.New(errs.Unauthenticated, "sign-in-first", "This needs a sign-in."))
			case !s.id.Session.Level().Reaches(level):
				m.challenge(w, r, m.d.CodePath, level, errs.New(errs.Unauthenticated, "step-up-needed", "This needs a second factor."))
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

func (m *Manager) challenge(w http.ResponseWriter, r *http.Request, path string, level identity.Level, refusal error) {
	if !followsLink(r) {
		m.d.Refuse(w, r, refusal)
		return
	}
	to := url.Values{"next": {r.URL.RequestURI()}}
	AskFor(to, level)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, path+"?"+to.Encode(), http.StatusSeeOther)
}

// Meta gives what identity wants to know about the request. language is the
// one the page is shown in.
func (m *Manager) Meta(r *http.Request, language string) identity.Meta {
	return m.meta(r, from(r), language)
}

func (m *Manager) meta(r *http.Request, s state, language string) identity.Meta {
	return identity.Meta{
		Address: m.Address(r), RequestID: m.d.RequestID(r), Language: language, Previous: s.session,
		Browser: s.browser, Device: s.device, Agent: identity.AgentOf(r.UserAgent()),
	}
}

// Path gives the full address of a path of this tenant, such as "/apps".
func (m *Manager) Path(path string) string { return m.d.Base.Path(path) }

// Tenant gives the tenant of the request.
func (m *Manager) Tenant(r *http.Request) string { return m.d.Tenant(r) }
