package acting

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/authority"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the choice is.
const Path = "/acting"

// Accounts turns sessions; identity.Service is one.
type Accounts interface {
	ActAs(ctx context.Context, tenant, secret string, as fhir.Reference, m identity.Meta) (identity.SignInResult, error)
}

// Authority says who has access now; authority.Loader is one.
type Authority interface {
	AccessOf(ctx context.Context, rp proxy.RelatedPerson) ([]authority.Access, error)
}

// Relations finds relations.
type Relations interface {
	RelatedPersonByID(ctx context.Context, tenant, id string) (proxy.RelatedPerson, error)
}

// Deps is what the handlers work with.
type Deps struct {
	Accounts  Accounts
	Authority Authority
	Relations Relations
	desk.Desk
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method string, next http.Handler) route.Route {
		return route.Route{
			Method: method, Path: Path, Auth: route.Session, PHI: route.Identifiers, Limit: "page", Owner: "web/pages/acting",
			Handler: h.Session.Protect(h.Session.Load(h.Session.For(identity.ActLook)(next))),
		}
	}
	return []route.Route{on(http.MethodGet, h.Signed(h.choose)), on(http.MethodPost, h.Posted(h.turn))}
}

// Standing tells as whom the reader of a page acts, for the banner and the menu.
func (h *Handler) Standing(r *http.Request) pages.Standing {
	id, in := session.From(r)
	if !in {
		return pages.Standing{}
	}
	var out pages.Standing
	for _, i := range id.Person.Identities {
		if i.Verified && i.Resource.Type == "RelatedPerson" {
			out.SwitchURL = h.Session.Path(Path)
		}
	}
	if id.Session.Acting == "" {
		return out
	}
	out.SwitchURL = h.Session.Path(Path)
	out.Acting = &pages.Acting{Name: "…", SwitchURL: out.SwitchURL, Over: true}
	as, ok := id.Person.ActsAs(id.Session)
	if !ok {
		return out
	}
	d := h.demographics(r.Context(), as.Patient)
	out.Acting.Name, out.Acting.Gender = d.Name, d.Gender
	if list := h.access(r.Context(), id.Person.Tenant, as); len(list) > 0 {
		out.Acting.Over, out.Acting.Relation = false, list[0].Capacity.Relationship
	}
	return out
}

// access gives what an identity opens now; what cannot be found out opens nothing.
func (h *Handler) access(ctx context.Context, tenant string, as identity.Identity) []authority.Access {
	rp, err := h.Relations.RelatedPersonByID(ctx, tenant, as.Resource.ID)
	if err != nil {
		return nil
	}
	list, err := h.Authority.AccessOf(ctx, rp)
	if err != nil {
		return nil
	}
	return list
}

func (h *Handler) demographics(ctx context.Context, patient string) upstream.Demographics {
	d, err := h.Names.Patient(ctx, patient)
	if err != nil || d.Name == "" {
		d.Name = "…"
	}
	return d
}

// choose lists oneself and those for whom the reader may act now.
func (h *Handler) choose(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	page := pages.ActingChoice{Frame: h.Frame(r, id, "/home"), Oneself: id.Session.Acting == ""}
	for _, i := range id.Person.Identities {
		if !i.Verified || i.Resource.Type != "RelatedPerson" {
			continue
		}
		list := h.access(r.Context(), id.Person.Tenant, i)
		if len(list) == 0 {
			continue
		}
		d := h.demographics(r.Context(), i.Patient)
		page.Others = append(page.Others, pages.ActingPerson{
			Value: i.Resource.ID, Name: d.Name, Gender: d.Gender, Relation: list[0].Capacity.Relationship,
			Here: id.Session.Acting == i.Resource.ID,
		})
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

// turn turns the session to whom was chosen, and gives it a new secret.
func (h *Handler) turn(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	var as fhir.Reference
	if chosen := r.PostFormValue("as"); chosen != "self" {
		as = fhir.Reference{Type: "RelatedPerson", ID: chosen}
		i, ok := id.Person.ActsAs(identity.Session{Acting: chosen})
		if !ok || len(h.access(r.Context(), id.Person.Tenant, i)) == 0 {
			return errs.New(errs.Forbidden, "acting-unknown", "You do not act for this person.")
		}
	}
	res, err := h.Accounts.ActAs(r.Context(), id.Person.Tenant, session.Secret(r), as, h.Session.Meta(r, h.Kit.Lang(r)))
	if err != nil {
		return err
	}
	h.Session.Start(w, res.Secret)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, h.Session.Path("/home"), http.StatusSeeOther)
	return nil
}
