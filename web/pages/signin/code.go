package signin

import (
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// again asks for the second factor although it was proven: the proof is to be
// fresh.
const again = "again"

// codeForm asks for the second factor: of an unfinished log-in, or to step a
// session up.
func (h *Handlers) codeForm(w http.ResponseWriter, r *http.Request) {
	g := h.goal(r)
	id, signedIn := session.From(r)
	if signedIn && id.Session.Level().Reaches(session.Asked(r.Form)) && r.Form.Get(again) == "" {
		http.Redirect(w, r, h.after(g, id.Person), http.StatusSeeOther)
		return
	}
	if !signedIn {
		_, _, err := h.d.Accounts.Pending(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r))
		if errs.Is(err, errs.Unauthenticated) {
			http.Redirect(w, r, h.with(entryPath, g), http.StatusSeeOther)
			return
		}
		if err != nil {
			h.d.Refuse(w, r, err)
			return
		}
	}
	f := h.frame(r, g)
	if signedIn && g.AppName == "" {
		// Nobody is held at a proof that they cannot give now.
		f.BackURL = h.path(homePath)
		if id.Person.Role.Staff() {
			f.BackURL = h.path(staffPath)
		}
	}
	if signedIn && id.Session.BySentCode() {
		f.Notice = &pages.Notice{Tone: pages.Info, Key: pages.NoticeBetterFactor}
	}
	h.showCode(w, r, http.StatusOK, f, g)
}

func (h *Handlers) showCode(w http.ResponseWriter, r *http.Request, status int, f pages.Frame, g goal) {
	level := session.Asked(r.Form)
	if _, signedIn := session.From(r); !signedIn {
		// First the log-in is finished, with what there is.
		level = identity.AAL2
	}
	key, choices, err := h.proofForm(r, g, level)
	switch {
	case errs.Is(err, errs.Unauthenticated):
		http.Redirect(w, r, h.with(entryPath, g), http.StatusSeeOther)
		return
	case err != nil:
		h.d.Refuse(w, r, err)
		return
	}
	if _, signedIn := session.From(r); signedIn && status != http.StatusForbidden {
		// A log-in that is finished can go on elsewhere; a form that was refused leads
		// nowhere.
		if to := h.instead(g, level, key, choices); to != "" {
			http.Redirect(w, r, to, http.StatusSeeOther)
			return
		}
	}
	h.d.Pages.Render(w, r, status, pages.SecondFactor{
		Frame: f, Action: h.path(codePath), Next: g.value, AppName: g.AppName, CanCancel: g.Cancel != "",
		Passkey: key, NoCode: !choices.Code && key.Options != "", Recovery: choices.Recovery,
		ApproveAction: h.approveAction(choices), SendAction: h.path(sendPath), Email: choices.Email && h.d.SentCodes != nil, SMS: choices.SMS && h.d.SentCodes != nil,
	})
}

// instead gives where somebody goes who has nothing to prove a level with: to the
// password where it will do, else to what lacks; "" for who has.
func (h *Handlers) instead(g goal, level identity.Level, key pages.Passkey, choices identity.StepUpChoices) string {
	second := choices.Code || key.Options != ""
	switch {
	case level == identity.AAL1 && !second:
		// Codes on paper are few, and no better than the password for this.
		return h.with(entryPath, g)
	case second || choices.Recovery || choices.Approve:
		return ""
	}
	need := url.Values{"need": {pages.NeedSecond}}
	if level == identity.AAL3 {
		need.Set("need", pages.NeedBound)
	}
	if own := h.d.Sessions.Own(g.Next, ""); own != "" {
		need.Set("next", own)
	}
	return h.path(factorsPath) + "?" + need.Encode()
}

func (h *Handlers) code(w http.ResponseWriter, r *http.Request) {
	g := h.goal(r)
	again := func(status int, errors ...pages.FieldError) {
		f := h.frame(r, g)
		f.Errors = errors
		h.showCode(w, r, status, f, g)
	}
	if err := h.d.Sessions.Check(r, session.PurposePage); err != nil {
		again(http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	if g.Cancel != "" && r.PostForm.Get("answer") == "cancel" {
		http.Redirect(w, r, g.Cancel, http.StatusSeeOther)
		return
	}
	field := "code"
	if _, recovering := r.PostForm["recovery"]; recovering {
		field = "recovery"
	}
	if missing := required(r, field); missing != nil {
		again(http.StatusBadRequest, missing...)
		return
	}
	res, err := h.d.Accounts.SecondFactor(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), words.PlainDigits(r.PostForm.Get(field)),
		h.d.Sessions.Meta(r, h.chosen(r)))
	switch {
	case err == nil:
		h.proceed(w, r, res, g)
	case errs.As(err).Code == "session-ended":
		http.Redirect(w, r, h.with(entryPath, g), http.StatusSeeOther)
	case errs.As(err).Code == "code-refused":
		again(http.StatusUnauthorized, pages.FieldError{Field: field, Key: pages.ErrCode})
	case errs.Is(err, errs.RateLimited):
		again(http.StatusTooManyRequests, tooMany(w, err))
	case errs.As(err).Code == "sign-in-unusual":
		again(http.StatusForbidden, pages.FieldError{Key: pages.ErrUnusual})
	default:
		h.d.Refuse(w, r, err)
	}
}
