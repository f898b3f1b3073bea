package consent

import (
	"net/http"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/web/pages"
)

// askPatient shows whose record may be meant.
func (h *Handler) askPatient(w http.ResponseWriter, r *http.Request) {
	p, who, ok := h.at(w, r, flow.StepPatient)
	if !ok {
		return
	}
	h.showPatients(w, r, p, who, http.StatusOK, nil)
}

func (h *Handler) showPatients(w http.ResponseWriter, r *http.Request, p oauth.Pending, who flow.Visitor, status int, faults []pages.FieldError) {
	query := r.FormValue("q")
	choices, search, err := h.Flow.Choices(r.Context(), p, who, query)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	page := pages.PickPatient{
		Frame: h.frame(r, p, who), AppName: h.Flow.AppName(r.Context(), p), Search: search, Query: query,
		More: search && len(choices) >= flow.SearchLimit,
	}
	page.Errors = faults
	for _, c := range choices {
		page.Choices = append(page.Choices, patientChoice(c))
	}
	h.Kit.Render(w, r, status, page)
}

func patientChoice(c flow.Choice) pages.PatientChoice {
	out := pages.PatientChoice{
		Value: c.Token, Name: c.Patient.Name, Self: c.Capacity.Kind == fhir.CapacitySelf,
		Relation: c.Capacity.Relationship, Gender: c.Patient.Gender, Until: c.Until, Deceased: c.Patient.Deceased,
	}
	if c.Capacity.Kind == fhir.CapacityPractitioner {
		out.BirthDate, out.RecordNumber = c.Patient.BirthDate, c.Patient.RecordNumber
	}
	return out
}

// takePatient stores the choice; one that is not offered (any more) is asked
// again.
func (h *Handler) takePatient(w http.ResponseWriter, r *http.Request) {
	p, who, ok := h.at(w, r, flow.StepPatient)
	if !ok || !h.checked(w, r) {
		return
	}
	if r.PostFormValue("answer") == "cancel" {
		h.deny(w, r, p, who)
		return
	}
	p, err := h.Flow.Choose(r.Context(), p, who, r.PostFormValue("patient"), r.FormValue("q"))
	if errs.Is(err, errs.Invalid) {
		h.showPatients(w, r, p, who, http.StatusUnprocessableEntity, []pages.FieldError{{Field: "patient", Key: pages.ErrChoose}})
		return
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	seeOther(w, r, h.Path(p))
}
