package factors

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the pages begin.
const (
	Path      = "/factors"
	addPath   = Path + "/passkey"
	appPath   = Path + "/app"
	codesPath = Path + "/codes"
	// passwordPath changes the password.
	passwordPath = Path + "/password"
	// linkPath offers the accounts of other providers.
	linkPath   = Path + "/link"
	onePath    = Path + "/one/{id}"
	removePath = onePath + "/remove"
	owner      = "web/pages/factors"
	maxForm    = 48 << 10
)

// Accounts is what the pages need of identity.Service.
type Accounts interface {
	ManagedFactors(ctx context.Context, tenant, secret string) ([]identity.Factor, error)
	BeginPasskey(ctx context.Context, tenant, secret, binding string) ([]byte, error)
	AddPasskey(ctx context.Context, tenant, secret, binding, name string, answer []byte, m identity.Meta) (identity.Factor, error)
	RenameFactor(ctx context.Context, tenant, secret, id, name string, m identity.Meta) error
	RemoveFactor(ctx context.Context, tenant, secret, id string, m identity.Meta) error
}

// Deps is what the handlers work with.
type Deps struct {
	Accounts Accounts
	// Codes is what has to do with codes.
	Codes Codes
	// Restricted is what has to do with codes that are sent.
	Restricted Restricted
	// Passkeys says that browsers offer passkeys here.
	Passkeys bool
	Kit      *pages.Kit
	Session  *session.Manager
	// Page writes an error page (web/problem).
	Page func(http.ResponseWriter, *http.Request, error)
	// Links gives where a person links an account of another provider; it asks for a
	// fresh log-in.
	Links func(r *http.Request, p identity.Person, have []identity.Factor) []pages.Elsewhere
	// Provider gives the name of an identity provider by its id, "" for one that is
	// not offered any more.
	Provider func(id string) string
	Clock    clock.Clock
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// visit is one request of a signed-in person.
type visit struct {
	*Handler
	w  http.ResponseWriter
	r  *http.Request
	id session.Identity
}

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	at := func(a identity.Action, method, path string, serve func(visit)) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.NoPHI, Limit: "page", Owner: owner,
			Handler: h.Session.Protect(h.Session.Load(h.Session.For(a)(h.visited(serve)))),
		}
	}
	on := func(method, path string, serve func(visit)) route.Route {
		return at(identity.ActAuthenticators, method, path, func(v visit) { v.managing(serve) })
	}
	return []route.Route{
		at(identity.ActFactors, http.MethodGet, Path, visit.list),
		on(http.MethodGet, linkPath, visit.links),
		on(http.MethodGet, passwordPath, visit.password),
		on(http.MethodPost, passwordPath, visit.newPassword),
		on(http.MethodGet, appPath, visit.addApp),
		on(http.MethodPost, appPath, visit.addedApp),
		on(http.MethodGet, codesPath, visit.askCodes),
		on(http.MethodPost, codesPath, visit.codes),
		on(http.MethodGet, emailPath, visit.aboutEmail),
		on(http.MethodPost, emailPath, visit.addEmail),
		on(http.MethodGet, smsPath, visit.aboutSMS),
		on(http.MethodPost, smsPath, visit.sendNumber),
		on(http.MethodGet, numberPath, visit.askNumber),
		on(http.MethodPost, numberPath, visit.addNumber),
		on(http.MethodGet, addPath, visit.add),
		on(http.MethodPost, addPath, visit.added),
		on(http.MethodGet, onePath, visit.one),
		on(http.MethodPost, onePath, visit.rename),
		on(http.MethodGet, removePath, visit.askRemove),
		on(http.MethodPost, removePath, visit.remove),
	}
}

// visited reads the form and checks its token before anything changes.
func (h *Handler) visited(serve func(visit)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := session.ReadForm(w, r, maxForm); err != nil {
			h.Page(w, r, err)
			return
		}
		if r.Method == http.MethodPost {
			if err := h.Session.Check(r, session.PurposePage); err != nil {
				h.Page(w, r, err)
				return
			}
		}
		id, _ := session.From(r) // Require ran before
		serve(visit{h, w, r, id})
	})
}

// managing serves those who have proven enough to change authenticators; the others are
// asked for the best factor that they have, before they fill in a form in vain, and
// brought back.
func (v visit) managing(serve func(visit)) {
	all, err := v.Accounts.ManagedFactors(v.r.Context(), v.tenant(), v.secret())
	switch {
	case err != nil:
		v.fail(err)
	case !identity.MayManage(v.id.Session, all, v.Clock.Now()):
		v.Session.Late(v.w, v.r, identity.ActAuthenticators)
	default:
		serve(v)
	}
}

func (v visit) tenant() string      { return v.Session.Tenant(v.r) }
func (v visit) secret() string      { return session.Secret(v.r) }
func (v visit) binding() string     { return v.Session.Token(v.r, session.PurposePasskey) }
func (v visit) meta() identity.Meta { return v.Session.Meta(v.r, "") }

func (v visit) frame(back string, e ...pages.FieldError) pages.Frame {
	f := pages.Frame{
		Lang: v.Kit.Lang(v.r), SignedInAs: v.id.Person.Name, CSRF: v.Session.Token(v.r, session.PurposePage),
		Now: v.Clock.Now(), Staff: v.id.Person.Role.Staff(), Errors: e,
		SessionEnds: v.id.Session.IdleEnds, StayURL: v.Session.Path(pages.StayPath),
	}
	if back != "" {
		f.BackURL = v.Session.Path(back)
	}
	return f
}

// next is the page that sent the person here and waits for a second factor, "" for
// none.
func (v visit) next() string { return v.Session.Own(v.r.Form.Get("next"), "") }

// onward gives a path of these pages that still knows where the person comes from.
func (v visit) onward(path string) string {
	if next := v.next(); next != "" {
		need := pages.NeedSecond
		if v.r.Form.Get("need") == pages.NeedBound {
			need = pages.NeedBound
		}
		path += "?" + url.Values{"need": {need}, "next": {next}}.Encode()
	}
	return path
}

// enrolled goes back to the page that waits for a second factor, or to the list.
func (v visit) enrolled() {
	if next := v.next(); next != "" {
		v.w.Header().Set("Cache-Control", "no-store")
		http.Redirect(v.w, v.r, next, http.StatusSeeOther)
		return
	}
	v.goTo(Path + "?done=added")
}

func (v visit) draw(status int, p pages.Page) { v.Kit.Render(v.w, v.r, status, p) }

func (v visit) goTo(path string) {
	v.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(v.w, v.r, v.Session.Path(path), http.StatusSeeOther)
}

// fail answers what no form can say better.
func (v visit) fail(err error) {
	switch {
	case errs.Is(err, errs.Unauthenticated) && errs.As(err).Code == "step-up-needed":
		v.Session.Afresh(v.w, v.r)
	default:
		v.Page(v.w, v.r, err)
	}
}

// notices are what may be said on the list after a redirect.
func notices() map[string]*pages.Notice {
	return map[string]*pages.Notice{
		"added":   {Tone: pages.Good, Key: pages.NoticeFactorAdded},
		"removed": {Tone: pages.Good, Key: pages.NoticeFactorRemoved},
		"saved":   {Tone: pages.Good, Key: pages.NoticeSaved},
	}
}

func (v visit) list() {
	all, err := v.Accounts.ManagedFactors(v.r.Context(), v.tenant(), v.secret())
	if err != nil {
		v.fail(err)
		return
	}
	p := pages.Factors{Frame: v.frame("")}
	p.Notice = notices()[v.r.Form.Get("done")]
	for _, f := range all {
		p.Entries = append(p.Entries, v.entry(f))
	}
	p.AppURL, p.CodesURL = v.Session.Path(v.onward(appPath)), v.Session.Path(codesPath)
	if p.Need = v.r.Form.Get("need"); p.Need == pages.NeedBound {
		p.AppURL = ""
	}
	v.backups(&p, all)
	if links := v.Links(v.r, v.id.Person, all); len(links) > 0 {
		p.LinkURL = v.Session.Path(linkPath)
	}
	if v.Passkeys {
		p.AddURL = v.Session.Path(v.onward(addPath))
	}
	v.draw(http.StatusOK, p)
}

func (v visit) entry(f identity.Factor) pages.FactorEntry {
	e := pages.FactorEntry{
		Kind: string(f.Kind), Name: f.Name, Created: f.Created, Used: f.Used, BackedUp: f.BackedUp, Locked: f.Locked != "",
	}
	e.Left, e.Backup = f.RecoveryLeft(), f.Kind.Restricted()
	if ending, from := f.NumberEnding(); ending != "" {
		e.Ending = ending
		if v.Clock.Now().Before(from) {
			e.From = from
		}
	}
	if id, ok := f.Upstream(); ok && e.Name == "" {
		e.Name = v.Provider(id)
	}
	if k, ok := f.Passkey(); ok {
		e.Synced = k.Synced
	}
	if f.Kind == identity.FactorPassword {
		e.URL = v.Session.Path(passwordPath)
	}
	if f.Kind.Managed() {
		e.URL = v.Session.Path(Path + "/one/" + f.ID)
	}
	return e
}

// links offers the accounts that are not linked yet.
func (v visit) links() {
	all, err := v.Accounts.ManagedFactors(v.r.Context(), v.tenant(), v.secret())
	if err != nil {
		v.fail(err)
		return
	}
	v.draw(http.StatusOK, pages.LinkElsewhere{Frame: v.frame(Path), Elsewhere: v.Links(v.r, v.id.Person, all)})
}

func (v visit) add() { v.showAdd(http.StatusOK) }

func (v visit) showAdd(status int, e ...pages.FieldError) {
	options, err := v.Accounts.BeginPasskey(v.r.Context(), v.tenant(), v.secret(), v.binding())
	if err != nil {
		v.fail(err)
		return
	}
	v.draw(status, pages.AddPasskey{
		Frame: v.frame(v.onward(Path), e...), Passkey: pages.Passkey{Action: v.Session.Path(v.onward(addPath)), Options: string(options)},
		Name: v.r.PostFormValue("name"),
	})
}

func (v visit) added() {
	_, err := v.Accounts.AddPasskey(v.r.Context(), v.tenant(), v.secret(), v.binding(), v.r.PostFormValue("name"),
		[]byte(v.r.PostFormValue(pages.FieldCredential)), v.meta())
	if err == nil {
		v.enrolled()
		return
	}
	wrong, ok := map[string]pages.FieldError{
		"factor-name":     {Field: "name", Key: pages.ErrFactorName},
		"factor-exists":   {Key: pages.ErrPasskeyKnown},
		"passkey-answer":  {Key: pages.ErrPasskey},
		"passkey-refused": {Key: pages.ErrPasskey},
	}[errs.As(err).Code]
	if unfit := pages.PasskeyUnfit(errs.As(err).Code); unfit != "" {
		wrong, ok = pages.FieldError{Key: unfit}, true
	}
	if !ok {
		v.fail(err)
		return
	}
	v.showAdd(http.StatusBadRequest, wrong)
}

// chosen gives the factor of the path with all of the person's. Errors:
// errs.NotFound; errs.Unavailable.
func (v visit) chosen() (identity.Factor, []identity.Factor, error) {
	all, err := v.Accounts.ManagedFactors(v.r.Context(), v.tenant(), v.secret())
	if err != nil {
		return identity.Factor{}, nil, err
	}
	for _, f := range all {
		if f.ID == mux.Vars(v.r)["id"] && f.Kind.Managed() {
			return f, all, nil
		}
	}
	return identity.Factor{}, nil, errs.New(errs.NotFound, "factor-not-found", "There is no such authenticator.")
}

func (v visit) one() { v.showOne(http.StatusOK) }

func (v visit) showOne(status int, e ...pages.FieldError) {
	f, all, err := v.chosen()
	if err != nil {
		v.fail(err)
		return
	}
	at := Path + "/one/" + f.ID
	p := pages.OneFactor{Frame: v.frame(Path, e...), Entry: v.entry(f), Action: v.Session.Path(at)}
	if len(e) > 0 {
		p.Entry.Name = v.r.PostFormValue("name")
	}
	if identity.MayRemove(v.id.Person, f, all) {
		p.RemoveURL = v.Session.Path(at + "/remove")
	}
	v.draw(status, p)
}

func (v visit) rename() {
	err := v.Accounts.RenameFactor(v.r.Context(), v.tenant(), v.secret(), mux.Vars(v.r)["id"], v.r.PostFormValue("name"), v.meta())
	switch {
	case err == nil:
		v.goTo(Path + "?done=saved")
	case errs.As(err).Code == "factor-name":
		v.showOne(http.StatusBadRequest, pages.FieldError{Field: "name", Key: pages.ErrFactorName})
	default:
		v.fail(err)
	}
}

func (v visit) askRemove() { v.showRemove(http.StatusOK) }

func (v visit) showRemove(status int, e ...pages.FieldError) {
	f, _, err := v.chosen()
	if err != nil {
		v.fail(err)
		return
	}
	at := Path + "/one/" + f.ID
	v.draw(status, pages.RemoveFactor{Frame: v.frame(at, e...), Entry: v.entry(f), Action: v.Session.Path(at + "/remove")})
}

func (v visit) remove() {
	if v.r.PostFormValue("answer") != "remove" {
		v.goTo(Path)
		return
	}
	err := v.Accounts.RemoveFactor(v.r.Context(), v.tenant(), v.secret(), mux.Vars(v.r)["id"], v.meta())
	switch {
	case err == nil:
		v.goTo(Path + "?done=removed")
	case errs.As(err).Code == "factor-last":
		v.showRemove(http.StatusConflict, pages.FieldError{Key: pages.ErrFactorLast})
	default:
		v.fail(err)
	}
}
