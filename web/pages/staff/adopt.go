package staff

import (
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// askAdopt asks which relation from before gets a case.
func (h *Handler) askAdopt(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	h.adoption(w, r, id, http.StatusOK, h.Session.Draft(w, r))
	return nil
}

func (h *Handler) adoption(w http.ResponseWriter, r *http.Request, id session.Identity, status int, typed url.Values, faults ...pages.FieldError) {
	page := pages.ProxyAct{Frame: h.Frame(r, id, Path), Act: "adopt"}
	page.Errors = faults
	for _, name := range []string{"patient", "related"} {
		page.Fields = append(page.Fields, pages.ActField{Name: name, Kind: "text", Value: typed.Get(name)})
	}
	h.Kit.Render(w, r, status, page)
}

// adopt opens the case.
func (h *Handler) adopt(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	if r.PostFormValue("answer") != "yes" {
		http.Redirect(w, r, h.Session.Path(Path), http.StatusSeeOther)
		return nil
	}
	patient, related := r.PostFormValue("patient"), r.PostFormValue("related")
	err := errs.New(errs.NotFound, "proxy-adopt-unknown", "There is no such person of this patient, or the person has no account.")
	if fhir.ValidID(patient) && fhir.ValidID(related) {
		c, refused := h.Life.Adopt(r.Context(), h.Actor(r, id), patient, related)
		if refused == nil {
			http.Redirect(w, r, h.Session.Path(Path+"/"+c.ID), http.StatusSeeOther)
			return nil
		}
		err = errs.As(refused)
	}
	if f, ok := faults()[err.Code]; ok {
		h.adoption(w, r, id, http.StatusBadRequest, r.PostForm, f)
		return nil
	}
	return err
}
