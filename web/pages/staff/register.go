package staff

import (
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// askRegister asks whom staff put on a patient's list.
func (h *Handler) askRegister(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	h.registration(w, r, id, http.StatusOK, h.Session.Draft(w, r))
	return nil
}

func (h *Handler) registration(w http.ResponseWriter, r *http.Request, id session.Identity, status int, typed url.Values, faults ...pages.FieldError) {
	page := pages.ProxyAct{Frame: h.Frame(r, id, Path), Act: "register"}
	page.Errors = faults
	relation := pages.ActField{Name: "relation", Kind: "select"}
	for _, code := range proxy.Relations() {
		relation.Options = append(relation.Options, pages.Option{
			Value: code, Label: h.Kit.Words().Relation(page.Lang, code), Selected: typed.Get("relation") == code,
		})
	}
	for _, name := range []string{"patient", "name", "email"} {
		page.Fields = append(page.Fields, pages.ActField{Name: name, Kind: "text", Value: typed.Get(name)})
	}
	page.Fields = append(page.Fields, relation)
	h.Kit.Render(w, r, status, page)
}

// register begins a case for a patient whom the FHIR server knows.
func (h *Handler) register(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	if r.PostFormValue("answer") != "yes" {
		http.Redirect(w, r, h.Session.Path(Path), http.StatusSeeOther)
		return nil
	}
	patient := r.PostFormValue("patient")
	err := errs.New(errs.NotFound, "patient-unknown", "There is no such patient.")
	var c proxy.Case
	if fhir.ValidID(patient) {
		_, known := h.Names.Patient(r.Context(), patient)
		switch {
		case errs.Is(known, errs.NotFound) || errs.Is(known, errs.Gone):
		case known != nil:
			return known
		default:
			var refused error
			if c, refused = h.Life.Register(r.Context(), h.Actor(r, id), patient, proxy.Invitation{
				Name: r.PostFormValue("name"), Email: r.PostFormValue("email"), Relationship: r.PostFormValue("relation"),
			}); refused == nil {
				http.Redirect(w, r, h.Session.Path(Path+"/"+c.ID), http.StatusSeeOther)
				return nil
			}
			err = errs.As(refused)
		}
	}
	if f, ok := faults()[err.Code]; ok {
		h.registration(w, r, id, http.StatusBadRequest, r.PostForm, f)
		return nil
	}
	return err
}
