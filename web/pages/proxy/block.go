package proxy

import (
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// blockPage asks whom to shut out who has no line on the list.
func (h *Handler) blockPage(r *http.Request, id session.Identity, in proxy.Invitation) pages.Block {
	p := pages.Block{Frame: h.Frame(r, id, PeoplePath), Name: in.Name, Email: in.Email}
	p.Who = h.relations(p.Lang, in.Relationship)
	label := h.Kit.Words().Relation(p.Lang, proxy.FormerSpouse)
	p.Who.Options = append([]pages.Option{{Value: proxy.FormerSpouse, Label: label, Selected: in.Relationship == proxy.FormerSpouse}}, p.Who.Options...)
	return p
}

func (h *Handler) askBlock(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	h.Kit.Render(w, r, http.StatusOK, h.blockPage(r, id, named(h.Session.Draft(w, r))))
	return nil
}

// named gives whom a form names.
func named(typed url.Values) proxy.Invitation {
	return proxy.Invitation{Name: typed.Get("name"), Email: typed.Get("email"), Relationship: typed.Get("relation")}
}

// block shuts somebody out. It takes away, so it asks for no fresh proof.
func (h *Handler) block(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	in := named(r.PostForm)
	c, err := h.Life.BlockNamed(r.Context(), h.agreed(r, id, h.blockPage(r, id, in)), in)
	if fault, ok := fieldOf(err); ok {
		page := h.blockPage(r, id, in)
		page.Errors = []pages.FieldError{fault}
		h.Kit.Render(w, r, http.StatusBadRequest, page)
		return nil
	}
	if err == nil {
		http.Redirect(w, r, h.Session.Path(PeoplePath+"/"+c.ID), http.StatusSeeOther)
	}
	return err
}
