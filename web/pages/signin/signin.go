package signin

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

const (
	homePath  = "/home"
	staffPath = "/staff"
	entryPath = "/signin"
	codePath  = "/signin/code"
	keyPath   = "/signin/passkey"
	proofPath = "/signin/code/passkey"
	// factorsPath is where people see and add what they sign in with.
	factorsPath = "/factors"
	leavePath   = "/signout"
	leftPath    = "/signed-out"
	langPath    = "/language"
	// maxForm bounds a posted form in bytes: a username, a password of 1 kB
	// percent-encoded, an address.
	maxForm = 32 << 10
	owner   = "web/pages/signin"
	// limited is the class of limits for everything that tries a secret.
	limited = "signin"
)

// Accounts is what the pages need of identity.Service.
type Accounts interface {
	SignIn(ctx context.Context, tenant, username, password string, m identity.Meta) (identity.SignInResult, error)
	SecondFactor(ctx context.Context, tenant, secret, code string, m identity.Meta) (identity.SignInResult, error)
	Pending(ctx context.Context, tenant, secret string) (identity.Session, identity.Person, error)
	SignOut(ctx context.Context, tenant, secret string, m identity.Meta) error
	SetLanguage(ctx context.Context, tenant, secret, language string) error
}

// Pages draws; pages.Kit does.
type Pages interface {
	Lang(r *http.Request) string
	Render(w http.ResponseWriter, r *http.Request, status int, page pages.Page)
}

// Deps is what the pages work with. All fields are required but Passkeys, Approvals, SentCodes,
// ApproveURL, Waiting, StaffTasks, Elsewhere, From and LeaveAt.
type Deps struct {
	Accounts Accounts
	// Passkeys is nil where browsers offer none.
	Passkeys Passkeys
	// Approvals is nil where no other device is asked.
	Approvals Approvals
	// SentCodes is nil where no codes are sent.
	SentCodes SentCodes
	// ApproveURL gives the page on which a log-in waits for this device, "" for none;
	// nil means none.
	ApproveURL func(*http.Request, session.Identity) (string, error)
	Sessions   *session.Manager
	Pages      Pages
	// Refuse writes an error page (web/problem).
	Refuse func(http.ResponseWriter, *http.Request, error)
	// Waiting gives the authorization request of a flow id that belongs to
	// this browser; nil when there is no flow to wait for.
	Waiting func(r *http.Request, flow string) (pages.Waiting, bool)
	// StaffTasks gives the links of the console's start page.
	StaffTasks func(identity.Person) []pages.StaffTask
	// Elsewhere gives the identity providers of a page; nil means none.
	Elsewhere func(staff bool, next string) []pages.Elsewhere
	// From gives the id of the provider at which a session began that may be left
	// there too, "" for none; LeaveAt gives its name and where that is done. Nil means
	// none.
	From    func(*http.Request) string
	LeaveAt func(ctx context.Context, provider string) pages.Elsewhere
	// Leaving judges what an app asked for that sends people to be signed out;
	// nil refuses all of them. Errors: errs.InvalidRequest, errs.Unavailable.
	Leaving func(ctx context.Context, tenant string, asked url.Values) (Leaving, error)
}

// Handlers holds the pages. It is safe for concurrent use.
type Handlers struct {
	d Deps
}

// New makes the pages.
func New(d Deps) *Handlers {
	if d.Waiting == nil {
		d.Waiting = func(*http.Request, string) (pages.Waiting, bool) { return pages.Waiting{}, false }
	}
	if d.Elsewhere == nil {
		d.Elsewhere = func(bool, string) []pages.Elsewhere { return nil }
	}
	if d.From == nil || d.LeaveAt == nil {
		d.From = func(*http.Request) string { return "" }
		d.LeaveAt = func(context.Context, string) pages.Elsewhere { return pages.Elsewhere{} }
	}
	if d.ApproveURL == nil {
		d.ApproveURL = func(*http.Request, session.Identity) (string, error) { return "", nil }
	}
	if d.StaffTasks == nil {
		d.StaffTasks = func(identity.Person) []pages.StaffTask { return nil }
	}
	if d.Leaving == nil {
		d.Leaving = func(context.Context, string, url.Values) (Leaving, error) {
			return Leaving{}, errs.New(errs.InvalidRequest, "logout-client", "There is no such client.")
		}
	}
	return &Handlers{d: d}
}

// Routes gives the routes, already wrapped in session.Manager's Load and
// Protect.
func (h *Handlers) Routes() []route.Route {
	open := func(method, path, limit, reason string, f http.HandlerFunc) route.Route {
		return route.Route{Method: method, Path: path, Auth: route.None, PHI: route.NoPHI, Limit: limit,
			Owner: owner, Reason: reason, Handler: h.wrap(f)}
	}
	return append(append(h.approvalRoutes(open), h.sentRoutes(open)...), []route.Route{
		open("GET", entryPath, "", "nobody is signed in before the sign-in", h.form(false)),
		open("POST", entryPath, limited, "checks the password itself, and a form token", h.signIn(false)),
		open("GET", staffPath, "", "the sign-in of the console; its start page after it", h.staff),
		open("POST", staffPath, limited, "checks the password itself, and a form token", h.signIn(true)),
		open("GET", codePath, "", "the log-in is unfinished; needs the cookie of its first step", h.codeForm),
		open("POST", keyPath, limited, "checks the answer of the passkey, and a form token", h.passkey),
		open("POST", proofPath, limited, "checks the answer of the passkey, the cookie of the first step and a form token", h.proof),
		open("POST", codePath, limited, "checks the code itself, the cookie of the first step and a form token", h.code),
		open("POST", leavePath, "", "ends the session of the cookie, if any; needs a form token", h.signOut),
		{Method: "GET", Path: EndPath, Auth: route.None, PHI: route.NoPHI, Limit: "authorize", Owner: owner,
			Reason: "an app sends people here to be signed out; asks them unless its id_token names them", Handler: h.d.Sessions.Load(http.HandlerFunc(h.endSession))},
		{Method: "POST", Path: EndPath, Auth: route.None, PHI: route.NoPHI, Limit: "authorize", Owner: owner,
			Reason: "cross-site by specification; answered with our own GET", Handler: http.HandlerFunc(h.endSessionPost)},
		open("GET", leftPath, "", "shown after the session has ended", h.signedOut),
		open("POST", langPath, "", "the language can be chosen before the sign-in; needs a form token", h.language),
		{Method: "GET", Path: pages.StayPath, Auth: route.Session, PHI: route.NoPHI, Owner: owner,
			Handler: h.d.Sessions.Load(h.d.Sessions.Require(identity.AAL1)(http.HandlerFunc(h.stay)))},
	}...)
}

func (h *Handlers) wrap(f http.HandlerFunc) http.Handler {
	return h.d.Sessions.Protect(h.d.Sessions.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := session.ReadForm(w, r, maxForm); err != nil {
			h.d.Refuse(w, r, err)
			return
		}
		f(w, r)
	})))
}

// goal is where a log-in leads.
type goal struct {
	// value is what the form carries on: an own path or a flow id.
	value string
	pages.Waiting
}

// goal reads next (an own path or a flow id) or flow. Anything else leads to
// the start page of whoever signs in.
func (h *Handlers) goal(r *http.Request) goal {
	v := r.Form.Get("next")
	if v == "" {
		v = r.Form.Get("flow")
	}
	if path := h.d.Sessions.Own(v, ""); path != "" {
		return goal{value: path, Waiting: pages.Waiting{Next: path}}
	}
	if v != "" && !strings.ContainsAny(v, "/\\:") {
		if w, ok := h.d.Waiting(r, v); ok {
			return goal{value: v, Waiting: w}
		}
	}
	return goal{}
}

// path gives the full address of one of the paths above.
func (h *Handlers) path(path string) string { return h.d.Sessions.Path(path) }

// after is where p goes after the log-in.
func (h *Handlers) after(g goal, p identity.Person) string {
	switch {
	case g.Next != "":
		return g.Next
	case p.Role.Staff():
		return h.path(staffPath)
	}
	return h.path(homePath)
}

// with puts the goal into the address of another page of this package.
func (h *Handlers) with(path string, g goal) string {
	if g.value == "" {
		return h.path(path)
	}
	return h.path(path) + "?" + url.Values{"next": {g.value}}.Encode()
}

func (h *Handlers) frame(r *http.Request, g goal) pages.Frame {
	f := pages.Frame{CSRF: h.d.Sessions.Token(r, session.PurposePage), AppRedirect: g.AppRedirect}
	if id, ok := session.From(r); ok {
		f.SignedInAs, f.Staff = id.Person.Name, id.Person.Role.Staff()
	}
	return f
}

// form shows the sign-in page and says why when the person was sent here.
func (h *Handlers) form(staff bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g := h.goal(r)
		f := h.frame(r, g)
		_, signedIn := session.From(r)
		switch {
		case !signedIn && session.Secret(r) != "" && h.ended(r):
			f.Notice = &pages.Notice{Tone: pages.Info, Key: pages.NoticeSessionEnded}
		case !signedIn && g.Next != "" && g.AppName == "":
			f.Notice = &pages.Notice{Tone: pages.Info, Key: pages.NoticeSignInFirst}
		}
		h.show(w, r, http.StatusOK, staff, f, g, nil)
	}
}

// ended reports whether the cookie names no live log-in, not even half a one.
func (h *Handlers) ended(r *http.Request) bool {
	_, _, err := h.d.Accounts.Pending(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r))
	return errs.Is(err, errs.Unauthenticated)
}

func (h *Handlers) show(w http.ResponseWriter, r *http.Request, status int, staff bool, f pages.Frame, g goal, work *pages.Work) {
	username, shared, key := r.PostForm.Get("username"), r.PostForm.Get("shared") != "", h.passkeyForm(r, g)
	if staff {
		h.d.Pages.Render(w, r, status, pages.StaffSignIn{
			Frame: f, Action: h.path(staffPath), Username: username, Shared: shared, Next: g.value, Work: work, Passkey: key,
			Elsewhere: h.d.Elsewhere(true, g.value),
		})
		return
	}
	h.d.Pages.Render(w, r, status, pages.SignIn{
		Frame: f, Action: h.path(entryPath), Username: username, Shared: shared, Next: g.value, Work: work, AppName: g.AppName, CanCancel: g.Cancel != "", Passkey: key,
		Elsewhere: h.d.Elsewhere(false, g.value),
	})
}

func (h *Handlers) signIn(staff bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		g := h.goal(r)
		var work *pages.Work
		again := func(status int, errors ...pages.FieldError) {
			f := h.frame(r, g)
			f.Errors = errors
			h.show(w, r, status, staff, f, g, work)
		}
		if err := h.d.Sessions.Check(r, session.PurposePage); err != nil {
			again(http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
			return
		}
		if g.Cancel != "" && r.PostForm.Get("answer") == "cancel" {
			http.Redirect(w, r, g.Cancel, http.StatusSeeOther)
			return
		}
		if missing := required(r, "username", "password"); missing != nil {
			again(http.StatusBadRequest, missing...)
			return
		}
		m := h.d.Sessions.Meta(r, h.chosen(r))
		m.Shared, m.Trapped = r.PostForm.Get("shared") != "", r.PostForm.Get("more") != ""
		m.Challenge, m.Work = r.PostForm.Get("challenge"), r.PostForm.Get("work")
		res, err := h.d.Accounts.SignIn(r.Context(), h.d.Sessions.Tenant(r), r.PostForm.Get("username"), r.PostForm.Get("password"), m)
		switch errs.KindOf(err) {
		case "":
			h.proceed(w, r, res, g)
		case errs.Unauthenticated:
			again(http.StatusUnauthorized, pages.FieldError{Field: "username", Key: pages.ErrSignIn})
		case errs.RateLimited:
			if c := identity.ChallengeOf(err); c != nil {
				work = &pages.Work{Token: c.Token, Bits: c.Bits}
			}
			again(http.StatusTooManyRequests, tooMany(w, err))
		case errs.AccessDenied:
			again(http.StatusForbidden, pages.FieldError{Key: pages.ErrUnusual})
		default:
			if errs.As(err).Code == "directory-unreachable" {
				again(http.StatusServiceUnavailable, pages.FieldError{Key: pages.ErrDirectory})
				return
			}
			h.d.Refuse(w, r, err)
		}
	}
}

// chosen gives the language the browser has asked for by its cookie, "" when
// none: then the account's own counts.
func (h *Handlers) chosen(r *http.Request) string {
	if _, err := r.Cookie(pages.LangCookie); err != nil {
		return ""
	}
	return h.d.Pages.Lang(r)
}

// proceed hands out the new secret and goes on (SMART AZ-19: 303).
func (h *Handlers) proceed(w http.ResponseWriter, r *http.Request, res identity.SignInResult, g goal) {
	h.d.Sessions.Start(w, res.Secret)
	h.d.Sessions.Know(w, res.Device)
	if _, err := r.Cookie(pages.LangCookie); err != nil && offered(res.Session.Language) {
		h.d.Sessions.SetLanguage(w, res.Session.Language)
	}
	if _, err := r.Cookie(pages.LookCookie); err != nil && res.Person.Look != "" && !res.NeedsSecondFactor {
		h.d.Sessions.SetLook(w, pages.LookValue(res.Person.Look), res.Session.Shared)
	}
	w.Header().Set("Cache-Control", "no-store")
	to := h.after(g, res.Person)
	if res.NeedsSecondFactor {
		to = h.with(codePath, g)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// required gives an error for each empty field.
func required(r *http.Request, names ...string) []pages.FieldError {
	var out []pages.FieldError
	for _, n := range names {
		if strings.TrimSpace(r.PostForm.Get(n)) == "" {
			out = append(out, pages.FieldError{Field: n, Key: pages.ErrRequired})
		}
	}
	return out
}

// tooMany sets Retry-After (seconds) and tells how long to wait, or what else to do.
func tooMany(w http.ResponseWriter, err error) pages.FieldError {
	wait, timed := identity.RetryAfter(err)
	if !timed {
		return pages.FieldError{Key: pages.ErrStopped}
	}
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	switch {
	case identity.ChallengeOf(err) != nil:
		return pages.FieldError{Key: pages.ErrWork, Args: words.Args{"seconds": seconds}}
	case wait < time.Minute:
		return pages.FieldError{Key: pages.ErrPause, Args: words.Args{"seconds": seconds}}
	}
	return pages.FieldError{Key: pages.ErrTooMany, Args: words.Args{"count": int(math.Ceil(wait.Minutes()))}}
}
