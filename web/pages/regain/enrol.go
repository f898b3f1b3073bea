package regain

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// EnrolPath is what the links lead to by which staff enrol.
const (
	EnrolPath = "/enrol"
	enrolOne  = EnrolPath + "/{token}"
)

// Enrols says whether the secret of a link still opens an account; identity.Service
// does.
type Enrols interface {
	Enrolment(ctx context.Context, tenant, secret string) error
}

// askEnrol asks whether to begin: a mail program that follows links begins nothing.
func (h *Handler) askEnrol(w http.ResponseWriter, r *http.Request) {
	if v, ok := h.visitor(w, r); ok {
		h.Kit.Render(w, r, http.StatusOK, v.enrolPage())
	}
}

func (v visit) enrolPage(e ...pages.FieldError) pages.Enrol {
	return pages.Enrol{Frame: v.frame(e...), Action: v.Session.Path(EnrolPath + "/" + mux.Vars(v.r)["token"])}
}

// enrol lets the browser go on to where a password is chosen.
func (h *Handler) enrol(w http.ResponseWriter, r *http.Request) {
	v, ok := h.visitor(w, r)
	if !ok {
		return
	}
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		h.Kit.Render(w, r, http.StatusForbidden, v.enrolPage(pages.FieldError{Key: pages.ErrExpiredForm}))
		return
	}
	secret := mux.Vars(r)["token"]
	err := h.Enrols.Enrolment(r.Context(), v.tenant(), secret)
	switch {
	case errs.Is(err, errs.NotFound):
		h.Kit.Render(w, r, http.StatusNotFound, pages.Message{Frame: v.frame(), Key: "enrol_over", NextURL: h.Session.Path("/signin"), NextKey: "signin.button"})
	case err != nil:
		h.Page(w, r, err)
	default:
		h.Session.RememberRecovery(w, secret)
		v.goTo(Path)
	}
}
