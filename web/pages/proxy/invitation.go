package proxy

import (
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// invitation asks for the address and the code: the same for every link, so that
// a link alone tells nothing. Whoever is signed in proves it again first.
func (h *Handler) invitation(w http.ResponseWriter, r *http.Request) {
	if _, in := session.From(r); in && h.Session.Ask(w, r, identity.ActShare) {
		return
	}
	kept := h.Session.Draft(w, r)
	page := h.invitationPage(r, kept.Get("email"))
	page.Code = kept.Get("code")
	h.Kit.Render(w, r, http.StatusOK, page)
}

func (h *Handler) invitationPage(r *http.Request, email string) pages.Invitation {
	id, in := session.From(r)
	page := pages.Invitation{Frame: h.openFrame(r, id, in), Email: email}
	if !in {
		page.SignInURL = h.Session.Path("/signin") + "?" + url.Values{"next": {r.URL.Path}}.Encode()
	}
	return page
}

func (h *Handler) openFrame(r *http.Request, id session.Identity, in bool) pages.Frame {
	f := pages.Frame{Lang: h.Kit.Lang(r), CSRF: h.Session.Token(r, session.PurposePage)}
	if in {
		f.SignedInAs, f.Staff = id.Person.Name, id.Person.Role.Staff()
	}
	return f
}

// accept judges the answer, and then links the account that is signed in or
// makes a new one.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request) {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		h.Page(w, r, err)
		return
	}
	in := lifecycle.Answer{Secret: mux.Vars(r)["secret"], Email: r.PostFormValue("email"), Code: words.PlainDigits(r.PostFormValue("code"))}
	id, signedIn := session.From(r)
	a := h.Actor(r, id)
	var err error
	switch {
	case signedIn && h.late(w, r, "email", "code"):
		return
	case signedIn:
		err = h.Life.Accept(r.Context(), in, a)
	case r.PostFormValue("answer") != "make":
		if _, err = h.Life.Check(r.Context(), in, a); err == nil {
			h.account(w, r, in, http.StatusOK)
			return
		}
	default:
		_, err = h.Life.Enrol(r.Context(), lifecycle.Enrol{
			Answer: in, Username: r.PostFormValue("username"), Password: r.PostFormValue("password"),
			OneTime: words.PlainDigits(r.PostFormValue("onetime")), Language: h.Kit.Lang(r),
		}, a)
		if f, ok := fieldOf(err); ok && f.Field != "" {
			h.account(w, r, in, http.StatusBadRequest, f)
			return
		}
	}
	if f, ok := fieldOf(err); ok {
		page := h.invitationPage(r, in.Email)
		page.Errors = []pages.FieldError{f}
		h.Kit.Render(w, r, http.StatusUnauthorized, page)
		return
	}
	if err != nil {
		h.Page(w, r, err)
		return
	}
	h.Kit.Render(w, r, http.StatusOK, pages.InvitationDone{Frame: h.openFrame(r, id, signedIn), NextURL: h.Session.Path(HelpingPath)})
}

// account asks for what a new account needs.
func (h *Handler) account(w http.ResponseWriter, r *http.Request, in lifecycle.Answer, status int, faults ...pages.FieldError) {
	page := pages.InvitationAccount{
		Frame: h.openFrame(r, session.Identity{}, false), Email: in.Email, Code: in.Code,
		Username: r.PostFormValue("username"), Secret: h.Life.Authenticator(in),
	}
	// Without the picture the secret is typed.
	page.QR, _ = h.Life.AuthenticatorQR(in)
	page.Errors = faults
	h.Kit.Render(w, r, status, page)
}
