package regain

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where people begin, StopPath what the links in messages lead to.
const (
	Path       = "/recover"
	finishPath = Path + "/finish"
	StopPath   = Path + "/stop"
	stopOne    = StopPath + "/{token}"
	owner      = "web/pages/regain"
	maxForm    = 48 << 10
)

// Accounts is what the pages need of identity.Service.
type Accounts interface {
	AskContactCode(ctx context.Context, tenant, username, binding string, m identity.Meta) (string, error)
	ProveRecovery(ctx context.Context, tenant string, t identity.RecoveryTry, m identity.Meta) (identity.Recovery, string, error)
	Recovery(ctx context.Context, tenant, secret string) (identity.Recovery, identity.Person, error)
	FinishRecovery(ctx context.Context, tenant string, g identity.Regained, m identity.Meta) error
	StopRecovery(ctx context.Context, tenant, token string, m identity.Meta) error
}

// Offers gives what pages show of authenticators.
type Offers interface {
	RegainPasskey(binding string) ([]byte, error)
	RegainedApp(p identity.Person, binding string) (identity.CodeApp, error)
	RegainedAppAgain(p identity.Person, app identity.CodeApp) (identity.CodeApp, error)
}

// Deps is what the handlers work with.
type Deps struct {
	Accounts Accounts
	Enrols   Enrols
	Offers   Offers
	Desk     Desk
	// Documents are the papers that staff may have seen.
	Documents []string
	Kit       *pages.Kit
	Session   *session.Manager
	// Page writes an error page (web/problem).
	Page  func(http.ResponseWriter, *http.Request, error)
	Clock clock.Clock
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	open := func(method, path, limit, reason string, f http.HandlerFunc) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.None, PHI: route.NoPHI, Limit: limit, Owner: owner, Reason: reason, Handler: h.wrap(f),
		}
	}
	return append([]route.Route{
		open(http.MethodGet, Path, "", "nobody is signed in who cannot sign in", h.begin),
		open(http.MethodPost, Path, "signin", "checks each proof itself, and a form token", h.prove),
		open(http.MethodPost, finishPath, "signin", "checks the cookie of the recovery and a form token", h.finish),
		open(http.MethodGet, enrolOne, "", "asks whether to begin; tells nothing", h.askEnrol),
		open(http.MethodPost, enrolOne, "signin", "the link's secret opens one account that nobody has enrolled in; needs a form token", h.enrol),
		open(http.MethodGet, stopOne, "", "asks whether to stop; tells nothing", h.askStop),
		open(http.MethodPost, stopOne, "signin", "the link's secret stops one recovery and does nothing else; needs a form token", h.stop),
	}, h.deskRoutes()...)
}

func (h *Handler) wrap(f http.HandlerFunc) http.Handler {
	return h.Session.Protect(h.Session.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := session.ReadForm(w, r, maxForm); err != nil {
			h.Page(w, r, err)
			return
		}
		f(w, r)
	})))
}

// visit is one request of somebody who is not signed in.
type visit struct {
	*Handler
	w http.ResponseWriter
	r *http.Request
}

func (v visit) tenant() string        { return v.Session.Tenant(v.r) }
func (v visit) binding() string       { return v.Session.Token(v.r, session.PurposeRecovery) }
func (v visit) meta() identity.Meta   { return v.Session.Meta(v.r, "") }
func (v visit) field(n string) string { return v.r.PostFormValue(n) }

func (v visit) frame(e ...pages.FieldError) pages.Frame {
	return pages.Frame{
		Lang: v.Kit.Lang(v.r), CSRF: v.Session.Token(v.r, session.PurposePage), BackURL: v.Session.Path("/signin"), Errors: e,
	}
}

// visitor turns away who is signed in: nobody gets into an account for somebody
// else from within another one.
func (h *Handler) visitor(w http.ResponseWriter, r *http.Request) (visit, bool) {
	v := visit{h, w, r}
	id, in := session.From(r)
	if !in {
		return v, true
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		status = http.StatusConflict
	}
	f := v.frame()
	f.SignedInAs, f.Staff, f.BackURL = id.Person.Name, id.Person.Role.Staff(), h.Session.Path("/home")
	h.Kit.Render(w, r, status, pages.Message{Frame: f, Key: "regain_signed_in"})
	return v, false
}

// begin asks for the username, or goes on with what this browser has begun.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) {
	v, ok := h.visitor(w, r)
	if !ok {
		return
	}
	begun, p, err := h.Accounts.Recovery(r.Context(), v.tenant(), h.Session.Recovery(r))
	switch {
	case errs.Is(err, errs.NotFound):
		h.Kit.Render(w, r, http.StatusOK, pages.Regain{Frame: v.frame(), Action: h.Session.Path(Path)})
	case err != nil:
		h.Page(w, r, err)
	case begun.State == identity.RecoveryProving:
		v.showProofs(http.StatusOK, begun, p.Username, "")
	case !begun.Finishable(h.Clock.Now()):
		page := pages.RegainWait{Frame: v.frame(), Reviews: len(begun.Reviews) < begun.Needs}
		if h.Clock.Now().Before(begun.Ready) {
			page.Ready = begun.Ready
		}
		h.Kit.Render(w, r, http.StatusOK, page)
	default:
		v.showFinish(http.StatusOK, begun, p, nil)
	}
}

// prove takes a username, sends a code, or takes a proof.
func (h *Handler) prove(w http.ResponseWriter, r *http.Request) {
	v, ok := h.visitor(w, r)
	if !ok {
		return
	}
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		h.Kit.Render(w, r, http.StatusForbidden, pages.Regain{
			Frame: v.frame(pages.FieldError{Key: pages.ErrExpiredForm}), Action: h.Session.Path(Path), Username: v.field("username"),
		})
		return
	}
	begun, _, err := h.Accounts.Recovery(r.Context(), v.tenant(), h.Session.Recovery(r))
	if err != nil && !errs.Is(err, errs.NotFound) {
		h.Page(w, r, err)
		return
	}
	username := v.field("username")
	switch do := v.field("do"); {
	case username == "":
		h.Kit.Render(w, r, http.StatusBadRequest, pages.Regain{
			Frame: v.frame(pages.FieldError{Field: "username", Key: pages.ErrRequired}), Action: h.Session.Path(Path),
		})
	case do == "who":
		v.showProofs(http.StatusOK, begun, username, "")
	case do == "send":
		ticket, err := h.Accounts.AskContactCode(r.Context(), v.tenant(), username, v.binding(), v.meta())
		if err != nil {
			v.again(begun, username, "", err)
			return
		}
		v.showProofs(http.StatusOK, begun, username, ticket)
	default:
		v.offered(begun, username)
	}
}

// offered takes one proof.
func (v visit) offered(begun identity.Recovery, username string) {
	kind := identity.ProofKind(v.field("do"))
	t := identity.RecoveryTry{
		Username: username, Secret: v.Session.Recovery(v.r), Binding: v.binding(), Kind: kind,
		Value: v.field(string(kind)), Ticket: v.field("ticket"), Answer: []byte(v.field(pages.FieldCredential)),
	}
	if len(t.Answer) > 0 {
		t.Kind = identity.ProofPasskey
	} else if t.Value == "" {
		v.showProofs(http.StatusBadRequest, begun, username, t.Ticket, pages.FieldError{Field: string(kind), Key: pages.ErrRequired})
		return
	}
	_, secret, err := v.Accounts.ProveRecovery(v.r.Context(), v.tenant(), t, v.meta())
	if err != nil {
		v.again(begun, username, t.Ticket, err)
		return
	}
	if secret != "" {
		v.Session.RememberRecovery(v.w, secret)
	}
	v.goTo(Path)
}

func (v visit) goTo(path string) {
	v.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(v.w, v.r, v.Session.Path(path), http.StatusSeeOther)
}

// again shows the proofs once more, with what went wrong.
func (v visit) again(begun identity.Recovery, username, ticket string, err error) {
	switch errs.KindOf(err) {
	case errs.Unauthenticated, errs.Invalid:
		v.showProofs(http.StatusUnauthorized, begun, username, ticket, pages.FieldError{Key: pages.ErrRegain})
	case errs.RateLimited:
		v.showProofs(http.StatusTooManyRequests, begun, username, ticket, pages.FieldError{Key: pages.ErrRegainMany})
	case errs.Unavailable:
		if errs.As(err).Code != "directory-unreachable" {
			v.Page(v.w, v.r, err)
			return
		}
		v.showProofs(http.StatusServiceUnavailable, begun, username, ticket, pages.FieldError{Key: pages.ErrDirectory})
	default:
		v.Page(v.w, v.r, err)
	}
}

func (v visit) showProofs(status int, begun identity.Recovery, username, ticket string, e ...pages.FieldError) {
	options, err := v.Offers.RegainPasskey(v.binding())
	if err != nil {
		v.Page(v.w, v.r, err)
		return
	}
	page := pages.RegainProve{
		Frame: v.frame(e...), Action: v.Session.Path(Path), Username: username, Ticket: ticket,
		Passkey: pages.Passkey{Action: v.Session.Path(Path), Options: string(options)}, More: begun.ID != "",
		Password: begun.ID != "" && !begun.Has(identity.ProofPassword), App: begun.ID != "" && !begun.Has(identity.ProofApp),
		Contact: !begun.Has(identity.ProofContact), Paper: !begun.Has(identity.ProofRecovery),
	}
	v.Kit.Render(v.w, v.r, status, page)
}

func (v visit) showFinish(status int, begun identity.Recovery, p identity.Person, app *identity.CodeApp, e ...pages.FieldError) {
	page := pages.RegainFinish{Frame: v.frame(e...), Action: v.Session.Path(finishPath), First: begun.State == identity.RecoveryEnrolling, Elsewhere: begun.Elsewhere}
	if identity.NeedsApp(p, begun) {
		shown, err := v.app(p, app)
		if err != nil {
			v.Page(v.w, v.r, err)
			return
		}
		page.App = &pages.AddCodeApp{Secret: shown.Secret, Proof: shown.Proof, QR: shown.QR}
	}
	v.Kit.Render(v.w, v.r, status, page)
}

func (v visit) app(p identity.Person, app *identity.CodeApp) (identity.CodeApp, error) {
	if app != nil {
		return v.Offers.RegainedAppAgain(p, *app)
	}
	return v.Offers.RegainedApp(p, v.binding())
}

// finish sets the new password.
func (h *Handler) finish(w http.ResponseWriter, r *http.Request) {
	v, ok := h.visitor(w, r)
	if !ok {
		return
	}
	secret := h.Session.Recovery(r)
	begun, p, err := h.Accounts.Recovery(r.Context(), v.tenant(), secret)
	if errs.Is(err, errs.NotFound) {
		v.goTo(Path)
		return
	}
	if err != nil {
		h.Page(w, r, err)
		return
	}
	app := &identity.CodeApp{Secret: v.field("secret"), Proof: v.field("proof")}
	again := func(status int, app *identity.CodeApp, e pages.FieldError) { v.showFinish(status, begun, p, app, e) }
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		again(http.StatusForbidden, nil, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	if v.field("password") != v.field("again") {
		again(http.StatusBadRequest, app, pages.FieldError{Field: "again", Key: pages.ErrPasswordAgain})
		return
	}
	err = h.Accounts.FinishRecovery(r.Context(), v.tenant(), identity.Regained{
		Secret: secret, Binding: v.binding(), Password: v.field("password"), App: *app, Code: v.field("code"),
	}, v.meta())
	code := ""
	if err != nil {
		code = errs.As(err).Code
	}
	key := pages.PasswordFault(code)
	switch {
	case err == nil:
		h.Session.ForgetRecovery(w)
		done := "regained"
		if begun.Elsewhere {
			done = "regained_elsewhere"
		}
		h.Kit.Render(w, r, http.StatusOK, pages.Message{Frame: v.frame(), Key: done, NextURL: h.Session.Path("/signin"), NextKey: "signin.button"})
	case key != "":
		again(http.StatusBadRequest, app, pages.FieldError{Field: "password", Key: key})
	case code == "code-refused":
		again(http.StatusBadRequest, app, pages.FieldError{Field: "code", Key: pages.ErrCode})
	case errs.Is(err, errs.Unauthenticated):
		again(http.StatusBadRequest, nil, pages.FieldError{Key: pages.ErrExpiredForm})
	case errs.Is(err, errs.NotFound), errs.Is(err, errs.Conflict):
		v.goTo(Path)
	default:
		h.Page(w, r, err)
	}
}

// askStop asks; a mail program that follows links stops nothing.
func (h *Handler) askStop(w http.ResponseWriter, r *http.Request) {
	v := visit{h, w, r}
	h.Kit.Render(w, r, http.StatusOK, pages.RegainStop{Frame: v.frame(), Action: v.Session.Path(StopPath + "/" + mux.Vars(r)["token"])})
}

func (h *Handler) stop(w http.ResponseWriter, r *http.Request) {
	v := visit{h, w, r}
	token := mux.Vars(r)["token"]
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		h.Kit.Render(w, r, http.StatusForbidden, pages.RegainStop{
			Frame: v.frame(pages.FieldError{Key: pages.ErrExpiredForm}), Action: h.Session.Path(StopPath + "/" + token),
		})
		return
	}
	if err := h.Accounts.StopRecovery(r.Context(), v.tenant(), token, v.meta()); err != nil {
		h.Page(w, r, err)
		return
	}
	h.Kit.Render(w, r, http.StatusOK, pages.Message{Frame: v.frame(), Key: "regain_stopped", NextURL: h.Session.Path("/signin"), NextKey: "signin.button"})
}
