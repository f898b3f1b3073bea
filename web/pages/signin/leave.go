package signin

import (
	"net/http"
	"slices"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// staff shows the console's start page to staff who have proven two factors,
// the sign-in of the console to anybody else.
func (h *Handlers) staff(w http.ResponseWriter, r *http.Request) {
	id, ok := session.From(r)
	if !ok || !id.Person.Role.Staff() || !id.Session.Level().Reaches(identity.AAL2) {
		h.form(true)(w, r)
		return
	}
	waits, err := h.d.ApproveURL(r, id)
	if err != nil {
		h.d.Refuse(w, r, err)
		return
	}
	h.d.Pages.Render(w, r, http.StatusOK, pages.StaffHome{
		Frame: h.frame(r, goal{}), Name: id.Person.Name, Tasks: h.d.StaffTasks(id.Person), ApproveURL: waits,
	})
}

// signOut ends the session (SE-17). The cookie goes even when the store is
// down, but then the person is told, because the session itself still lives.
func (h *Handlers) signOut(w http.ResponseWriter, r *http.Request) {
	if err := h.d.Sessions.Check(r, session.PurposePage); err != nil {
		h.d.Refuse(w, r, err)
		return
	}
	from := h.d.From(r)
	h.d.Sessions.End(w)
	forgetShared(w, r)
	if err := h.d.Accounts.SignOut(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), h.d.Sessions.Meta(r, "")); err != nil {
		h.d.Refuse(w, r, err)
		return
	}
	// What an app asked for was shown on the page and is judged again.
	var leaving Leaving
	if asked, err := leaveRequest(r.PostForm); err == nil && len(asked) > 0 {
		if leaving, err = h.d.Leaving(r.Context(), h.d.Sessions.Tenant(r), asked); err != nil {
			leaving = Leaving{}
		}
	}
	h.left(w, r, leaving, from)
}

// forgetShared makes the browser of a shared device forget all that it keeps of
// this site (SM-01).
func forgetShared(w http.ResponseWriter, r *http.Request) {
	if id, ok := session.From(r); ok && id.Session.Shared {
		w.Header().Set("Clear-Site-Data", `"cache", "cookies", "storage"`)
	}
}

func (h *Handlers) signedOut(w http.ResponseWriter, r *http.Request) {
	h.d.Pages.Render(w, r, http.StatusOK, pages.SignedOut{Frame: h.frame(r, goal{}), SignInURL: h.path(entryPath), Elsewhere: h.d.LeaveAt(r.Context(), r.Form.Get("from"))})
}

// language keeps the posted language and goes back to next.
func (h *Handlers) language(w http.ResponseWriter, r *http.Request) {
	if err := h.d.Sessions.Check(r, session.PurposePage); err != nil {
		h.d.Refuse(w, r, err)
		return
	}
	chosen := r.PostForm.Get("language")
	if !offered(chosen) {
		h.d.Refuse(w, r, errs.New(errs.Invalid, "language-unknown", "That language is not offered."))
		return
	}
	h.d.Sessions.SetLanguage(w, chosen)
	if _, ok := session.From(r); ok {
		if err := h.d.Accounts.SetLanguage(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), chosen); err != nil {
			h.d.Refuse(w, r, err)
			return
		}
	}
	http.Redirect(w, r, h.d.Sessions.Own(r.PostForm.Get("next"), h.path(homePath)), http.StatusSeeOther)
}

func offered(language string) bool {
	return slices.ContainsFunc(words.Languages(), func(l words.Language) bool { return l.Code == language })
}

// stay answers the warning before a session's end: looking the session up has
// already moved its end.
func (h *Handlers) stay(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}
