package bedside

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the patient's device begins.
const (
	Path     = "/bedside"
	herePath = Path + "/at"
	maxForm  = 48 << 10
)

// purpose binds an enrolment to a browser.
const purpose = "bedside"

func (h *Handler) deviceRoutes() []route.Route {
	open := func(method, path, limit, reason string, f func(visit)) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.None, PHI: route.NoPHI, Limit: limit, Owner: owner, Reason: reason, Handler: h.visited(f),
		}
	}
	return []route.Route{
		open(http.MethodGet, Path, "", "asks for a code; tells nothing", visit.ask),
		open(http.MethodPost, Path, "signin", "the code that staff show opens one enrolment for one browser; needs a form token", visit.take),
		open(http.MethodGet, Path+"/{code}", "", "asks whether to begin; the same for a code that is none", visit.ask),
		open(http.MethodGet, herePath+"/{id}", "page", "shows an enrolment to the browser that typed its code, the same page to all others", visit.here),
		open(http.MethodPost, herePath+"/{id}", "signin", "needs the cookie of the browser that typed the code, and a form token", visit.act),
	}
}

// visit is one request of a device on which nobody is signed in.
type visit struct {
	*Handler
	w http.ResponseWriter
	r *http.Request
}

// visited turns away who is signed in: nobody enrols as somebody else from within an
// account, neither a proxy nor the witness.
func (h *Handler) visited(f func(visit)) http.Handler {
	return h.Session.Protect(h.Session.Load(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := session.ReadForm(w, r, maxForm); err != nil {
			h.Page(w, r, err)
			return
		}
		v := visit{h, w, r}
		id, in := session.From(r)
		if !in {
			f(v)
			return
		}
		status := http.StatusOK
		if r.Method == http.MethodPost {
			status = http.StatusConflict
		}
		frame := v.frame()
		frame.SignedInAs, frame.Staff = id.Person.Name, id.Person.Role.Staff()
		h.Kit.Render(w, r, status, pages.Message{Frame: frame, Key: "bedside_signed_in"})
	})))
}

func (v visit) tenant() string        { return v.Session.Tenant(v.r) }
func (v visit) binding() string       { return v.Session.Token(v.r, purpose) }
func (v visit) field(n string) string { return v.r.PostFormValue(n) }
func (v visit) id() string            { return mux.Vars(v.r)["id"] }

func (v visit) frame(e ...pages.FieldError) pages.Frame {
	return pages.Frame{Lang: v.Kit.Lang(v.r), CSRF: v.Session.Token(v.r, session.PurposePage), Errors: e}
}

func (v visit) draw(status int, p pages.Page) { v.Kit.Render(v.w, v.r, status, p) }

func (v visit) ask() { v.askCode(http.StatusOK, mux.Vars(v.r)["code"]) }

func (v visit) askCode(status int, code string, e ...pages.FieldError) {
	v.draw(status, pages.BedsideCode{Frame: v.frame(e...), Action: v.Session.Path(Path), Code: code, Shared: v.field("shared") != ""})
}

// take binds the enrolment to this browser.
func (v visit) take() {
	code := v.field("code")
	if err := v.Session.Check(v.r, session.PurposePage); err != nil {
		v.askCode(http.StatusForbidden, code, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	m := v.Session.Meta(v.r, "")
	m.Shared = v.field("shared") != ""
	id, err := v.Accounts.TakeBedside(v.r.Context(), v.tenant(), code, v.binding(), m)
	switch {
	case err == nil:
		v.Handler.goTo(v.w, v.r, herePath+"/"+id)
	case errs.As(err).Code == "bedside-code":
		v.askCode(http.StatusBadRequest, "", pages.FieldError{Field: "code", Key: "field.bedside_code"})
	case errs.As(err).Code == "bedside-device":
		v.askCode(http.StatusConflict, "", pages.FieldError{Key: "field.bedside_device"})
	default:
		v.Page(v.w, v.r, err)
	}
}

func (v visit) over() {
	v.draw(http.StatusNotFound, pages.Message{Frame: v.frame(), Key: "bedside_over", NextURL: v.Session.Path(Path), NextKey: "bedside-code.button"})
}

func (v visit) here() { v.show(http.StatusOK) }

// show draws what this browser has to do now.
func (v visit) show(status int, e ...pages.FieldError) {
	t, p, err := v.Accounts.BedsideHere(v.r.Context(), v.tenant(), v.id(), v.binding())
	if errs.Is(err, errs.NotFound) {
		v.over()
		return
	}
	if err != nil {
		v.Page(v.w, v.r, err)
		return
	}
	action := v.Session.Path(herePath + "/" + t.ID)
	switch b := t.Bedside; {
	case t.State == identity.TicketTaken:
		v.setup(status, t, p, e...)
	case t.State == identity.TicketMade, t.State == identity.TicketSeen:
		page := pages.BedsideWait{Frame: v.frame(e...), Action: action}
		for i := range b.Needs {
			n := pages.BedsideNumber{Number: v.Accounts.BedsideNumber(t, i)}
			if i < len(b.Witnesses) {
				n.Name, n.Done = b.Witnesses[i].Name, !b.Witnesses[i].Confirmed.IsZero()
			}
			page.Numbers = append(page.Numbers, n)
		}
		v.draw(status, page)
	case t.State == identity.TicketApproved, t.State == identity.TicketSpent && !b.Codes.IsZero():
		page := pages.BedsideDone{Frame: v.frame(e...), Action: action, Username: p.Username, Key: b.Factor.Kind == identity.FactorPasskey}
		page.MayPrint = t.State == identity.TicketApproved && !page.Key
		v.draw(status, page)
	default:
		v.over()
	}
}

func (v visit) setup(status int, t identity.Ticket, p identity.Person, e ...pages.FieldError) {
	options, err := v.Accounts.BedsidePasskey(v.r.Context(), t, p, v.binding())
	if err != nil {
		v.Page(v.w, v.r, err)
		return
	}
	action := v.Session.Path(herePath + "/" + t.ID)
	v.draw(status, pages.BedsideSetup{
		Frame: v.frame(e...), Action: action, Name: t.Bedside.Name, Witness: strings.Join(t.Bedside.Names(), ", "),
		Passkey: pages.Passkey{Action: action, Options: string(options)}, Password: !p.HighRisk, Replaces: t.Bedside.Needs > 1, Shared: t.Bedside.Shared,
	})
}

// act does what the patient chose.
func (v visit) act() {
	if err := v.Session.Check(v.r, session.PurposePage); err != nil {
		v.show(http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	switch v.field("do") {
	case "stop":
		if err := v.Accounts.StopBedside(v.r.Context(), v.tenant(), v.id(), v.binding(), v.Session.Meta(v.r, "")); err != nil {
			v.Page(v.w, v.r, err)
			return
		}
		v.draw(http.StatusOK, pages.Message{Frame: v.frame(), Key: "bedside_stopped"})
	case "codes":
		v.codes()
	case "end":
		v.end()
	default:
		v.choose()
	}
}

// choose keeps a passkey or a password until the witness confirms it.
func (v visit) choose() {
	c := identity.BedsideChoice{Binding: v.binding()}
	if v.field("do") == "password" {
		if c.Password = v.field("password"); c.Password != v.field("again") {
			v.show(http.StatusBadRequest, pages.FieldError{Field: "again", Key: pages.ErrPasswordAgain})
			return
		}
	} else if c.Answer = []byte(v.field(pages.FieldCredential)); len(c.Answer) == 0 {
		v.show(http.StatusBadRequest, pages.FieldError{Key: pages.ErrPasskey})
		return
	}
	err := v.Accounts.MakeBedside(v.r.Context(), v.tenant(), v.id(), c, v.Session.Meta(v.r, ""))
	if err == nil {
		v.Handler.goTo(v.w, v.r, herePath+"/"+v.id())
		return
	}
	code := errs.As(err).Code
	if key := pages.PasswordFault(code); key != "" {
		v.show(http.StatusBadRequest, pages.FieldError{Field: "password", Key: key})
		return
	}
	if key := pages.PasskeyUnfit(code); key != "" {
		v.show(http.StatusBadRequest, pages.FieldError{Key: key})
		return
	}
	if key, ok := choiceFaults()[code]; ok {
		v.show(http.StatusBadRequest, pages.FieldError{Key: key})
		return
	}
	if code == "bedside-over" {
		v.over()
		return
	}
	v.Page(v.w, v.r, err)
}

func choiceFaults() map[string]string {
	return map[string]string{
		"passkey-answer": pages.ErrPasskey, "passkey-refused": pages.ErrPasskey, "factor-exists": pages.ErrPasskeyKnown,
		"bedside-shared-key": "field.bedside_shared_key", "bedside-key-only": "field.bedside_key_only",
	}
}

// codes shows the recovery codes, once.
func (v visit) codes() {
	t, p, err := v.Accounts.BedsideHere(v.r.Context(), v.tenant(), v.id(), v.binding())
	var codes []string
	if err == nil {
		codes, err = v.Accounts.BedsideCodes(v.r.Context(), v.tenant(), t.ID, v.binding(), v.Session.Meta(v.r, ""))
	}
	switch {
	case errs.Is(err, errs.NotFound):
		v.over()
	case err != nil:
		v.Page(v.w, v.r, err)
	default:
		v.draw(http.StatusOK, pages.BedsideDone{
			Frame: v.frame(), Action: v.Session.Path(herePath + "/" + t.ID), Username: p.Username, Codes: codes,
		})
	}
}

// end leads to the sign-in. A device that others use forgets all that it keeps.
func (v visit) end() {
	t, _, err := v.Accounts.BedsideHere(v.r.Context(), v.tenant(), v.id(), v.binding())
	if err != nil && !errs.Is(err, errs.NotFound) {
		v.Page(v.w, v.r, err)
		return
	}
	if err == nil && t.Bedside.Shared {
		v.w.Header().Set("Clear-Site-Data", `"cache", "cookies", "storage"`)
	}
	v.Handler.goTo(v.w, v.r, "/signin")
}
