package signin

import (
	"net/http"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// codeForm asks for the second factor: of an unfinished log-in, or to step a
// session up.
func (h *Handlers) codeForm(w http.ResponseWriter, r *http.Request) {
	g := h.goal(r)
	id, signedIn := session.From(r)
	if signedIn && id.Session.Level() == identity.AAL2 {
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
	h.showCode(w, r, http.StatusOK, h.frame(r, g), g)
}

func (h *Handlers) showCode(w http.ResponseWriter, r *http.Request, status int, f pages.Frame, g goal) {
	h.d.Pages.Render(w, r, status, pages.SecondFactor{
		Frame: f, Action: h.path(codePath), Next: g.value, AppName: g.AppName, CanCancel: g.Cancel != "",
	})
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
	if missing := required(r, "code"); missing != nil {
		again(http.StatusBadRequest, missing...)
		return
	}
	res, err := h.d.Accounts.SecondFactor(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), r.PostForm.Get("code"),
		h.d.Sessions.Meta(r, h.chosen(r)))
	switch {
	case err == nil:
		h.proceed(w, r, res, g)
	case errs.As(err).Code == "session-ended":
		http.Redirect(w, r, h.with(entryPath, g), http.StatusSeeOther)
	case errs.As(err).Code == "code-refused":
		again(http.StatusUnauthorized, pages.FieldError{Field: "code", Key: pages.ErrCode})
	case errs.Is(err, errs.RateLimited):
		again(http.StatusTooManyRequests, tooMany(w, err))
	default:
		h.d.Refuse(w, r, err)
	}
}
