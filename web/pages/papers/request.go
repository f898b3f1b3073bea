package papers

import (
	"net/http"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// RequestPath is where somebody asks to help (LC-04).
const RequestPath = helpingPath + "/request"

func (h *Handler) askRequest(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	return h.requestPage(w, r, id, http.StatusOK, lifecycle.Petition{})
}

// requestPage shows the form and what was asked for before, which looks the same
// whatever became of it.
func (h *Handler) requestPage(w http.ResponseWriter, r *http.Request, id session.Identity, status int, in lifecycle.Petition, faults ...pages.FieldError) error {
	before, err := h.Life.Asked(r.Context(), h.Actor(r, id))
	if err != nil {
		return err
	}
	page := pages.AskAccess{Frame: h.Frame(r, id, helpingPath), Name: in.Sought.Name, Born: in.Sought.Born, Number: in.Sought.Number}
	page.Errors = faults
	page.Who = pages.ActField{Name: "relation", Kind: "select"}
	for _, code := range proxy.Relations() {
		page.Who.Options = append(page.Who.Options, pages.Option{
			Value: code, Label: h.Kit.Words().Relation(page.Lang, code), Selected: code == in.Relationship,
		})
	}
	page.Kind = kinds(h.Kit, page.Lang, in.Kind)
	for _, b := range before {
		page.Sent = append(page.Sent, pages.SentRequest{Name: b.Sought.Name, At: b.Created, Ends: b.Due})
	}
	h.Kit.Render(w, r, status, page)
	return nil
}

func (h *Handler) request(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	form, err := read(h.Session, r)
	if err != nil {
		return err
	}
	in := lifecycle.Petition{
		Sought:       proxy.Sought{Name: form.values["name"], Born: form.values["born"], Number: form.values["number"]},
		Relationship: form.values["relation"], Kind: form.values["instrument"], Files: form.files,
	}
	if err = form.fault; err == nil {
		err = h.Life.Request(r.Context(), h.Actor(r, id), in)
	}
	if f, ok := faultOf(err); ok {
		return h.requestPage(w, r, id, http.StatusBadRequest, in, f)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, h.Session.Path(RequestPath), http.StatusSeeOther)
	return nil
}
