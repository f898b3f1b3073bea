package papers

import (
	"context"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Where the cases are below which papers are put in.
const (
	helpingPath = "/helping"
	staffPath   = "/staff/people"
)

// Deps is what the handlers work with.
type Deps struct {
	Life *lifecycle.Service
	desk.Desk
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{d} }

// Routes lists what the package serves. They come before those of the cases.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, phi route.Class, guard func(http.Handler) http.Handler, f desk.Serve) route.Route {
		one := route.Route{Method: method, Path: path, Auth: route.Session, PHI: phi, Limit: "page", Owner: "web/pages/papers"}
		inner := h.Session.Load(guard(h.Signed(f)))
		if one.Handler = h.Session.Protect(inner); method == http.MethodPost {
			one.Handler = h.Session.ProtectUpload(maxBody, inner)
		}
		return one
	}
	staff := func(next http.Handler) http.Handler {
		return h.Session.Oneself(h.Clinical(h.Session.For(identity.ActConsole)(next)))
	}
	own := h.Session.For(identity.ActLook)
	alone := func(next http.Handler) http.Handler { return h.Session.Oneself(own(next)) }
	out := []route.Route{
		on(http.MethodGet, RequestPath, route.NoPHI, alone, h.askRequest),
		on(http.MethodPost, RequestPath, route.NoPHI, alone, h.request),
	}
	for _, s := range []side{h.proxySide(), h.staffSide()} {
		base, guard := s.base, own
		if s.reader == readerStaff {
			guard = staff
		}
		out = append(out,
			on(http.MethodGet, base+"/{id}/papers", route.Identifiers, guard, h.list(s)),
			on(http.MethodPost, base+"/{id}/papers", route.Identifiers, guard, h.put(s)),
			on(http.MethodGet, base+"/{id}/papers/{paper}", route.Record, guard, h.file(s)),
		)
	}
	return out
}

const (
	readerProxy = "proxy"
	readerStaff = "staff"
)

// side is one of two readers: the proxy, who sees what was put in by the proxy, and
// staff, who see all.
type side struct {
	reader, base string
	find         func(ctx context.Context, a lifecycle.Actor, id string) (proxy.Case, error)
	put          func(ctx context.Context, a lifecycle.Actor, id, kind string, files []evidence.File) (proxy.Case, error)
	file         func(ctx context.Context, a lifecycle.Actor, id, paper string) (evidence.File, error)
}

func (h *Handler) proxySide() side {
	return side{readerProxy, helpingPath, h.Life.ForProxy, h.Life.PutPapers, h.Life.OwnPaper}
}

func (h *Handler) staffSide() side {
	return side{readerStaff, staffPath, h.Life.ForStaff, h.Life.ScanPapers, h.Life.StaffPaper}
}

func (h *Handler) list(s side) desk.Serve {
	return func(w http.ResponseWriter, r *http.Request, id session.Identity) error {
		c, err := s.find(r.Context(), h.Actor(r, id), mux.Vars(r)["id"])
		if err == nil {
			h.page(w, r, id, s, c, http.StatusOK)
		}
		return err
	}
}

func (h *Handler) page(w http.ResponseWriter, r *http.Request, id session.Identity, s side, c proxy.Case, status int, faults ...pages.FieldError) {
	back := s.base + "/" + c.ID
	page := pages.Papers{Frame: h.Frame(r, id, back), Reader: s.reader, Who: c.Name}
	page.Errors = faults
	if s.reader == readerStaff || c.Proofed() {
		page.Patient = h.Patient(r.Context(), c.Patient)
	} else {
		page.Patient = h.Kit.Words().T(page.Lang, "helping.somebody", nil)
	}
	for _, p := range c.Papers {
		l := pages.PaperLine{Kind: p.Kind, Media: p.Media, At: p.At, Size: p.Size}
		mine := p.By == id.Person.ID
		if mine || s.reader == readerStaff {
			l.URL = h.Session.Path(back + "/papers/" + p.ID)
		}
		if s.reader == readerStaff {
			l.Who = h.whose(r.Context(), c.Tenant, p.By)
		} else if !mine {
			continue // what staff scanned is for those who check it
		}
		page.Lines = append(page.Lines, l)
	}
	if proxy.Fileable(c.At(h.Clock.Now())) && len(c.Papers) < proxy.MaxPapers {
		page.Kind = kinds(h.Kit, page.Lang, c.Authority.Kind)
	}
	h.Kit.Render(w, r, status, page)
}

// whose gives the name of an account, "" for one that is gone.
func (h *Handler) whose(ctx context.Context, tenant, person string) string {
	p, err := h.Names.PersonByID(ctx, tenant, person)
	if err != nil {
		return ""
	}
	return p.Name
}

// kinds asks which paper a file shows.
func kinds(kit *pages.Kit, lang, chosen string) pages.ActField {
	f := pages.ActField{Name: "instrument", Kind: "select"}
	for _, code := range proxy.AuthorityKinds() {
		f.Options = append(f.Options, pages.Option{Value: code, Label: kit.Words().Relation(lang, code), Selected: code == chosen})
	}
	return f
}

func (h *Handler) put(s side) desk.Serve {
	return func(w http.ResponseWriter, r *http.Request, id session.Identity) error {
		in, err := read(h.Session, r)
		if err != nil {
			return err
		}
		a := h.Actor(r, id)
		c, err := s.find(r.Context(), a, mux.Vars(r)["id"])
		if err != nil {
			return err
		}
		if err = in.fault; err == nil {
			_, err = s.put(r.Context(), a, c.ID, in.values["instrument"], in.files)
		}
		if f, ok := faultOf(err); ok {
			h.page(w, r, id, s, c, http.StatusBadRequest, f)
			return nil
		}
		if err != nil {
			return err
		}
		http.Redirect(w, r, h.Session.Path(s.base+"/"+c.ID+"/papers"), http.StatusSeeOther)
		return nil
	}
}

// faultOf gives what to say beside which field; ok is false for what is no matter of
// the form.
func faultOf(err error) (f pages.FieldError, ok bool) {
	if err == nil {
		return f, false
	}
	f, ok = map[string]pages.FieldError{
		"file-none":          {Field: "file", Key: "field.file_none"},
		"file-many":          {Field: "file", Key: "field.file_many"},
		"file-kind":          {Field: "file", Key: "field.file_kind"},
		"file-large":         {Field: "file", Key: "field.file_large"},
		"proxy-papers-full":  {Field: "file", Key: "field.file_full"},
		"proxy-authority":    {Field: "instrument", Key: pages.ErrChoose},
		"proxy-relationship": {Field: "relation", Key: pages.ErrChoose},
		"request-name":       {Field: "name", Key: pages.ErrRequired},
		"request-born":       {Field: "born", Key: pages.ErrDate},
		"request-number":     {Field: "number", Key: "field.request_number"},
		"request-many":       {Key: "field.request_many"},
	}[errs.As(err).Code]
	return f, ok
}

func (h *Handler) file(s side) desk.Serve {
	return func(w http.ResponseWriter, r *http.Request, id session.Identity) error {
		a, paper := h.Actor(r, id), mux.Vars(r)["paper"]
		c, err := s.find(r.Context(), a, mux.Vars(r)["id"])
		if err != nil {
			return err
		}
		f, err := s.file(r.Context(), a, c.ID, paper)
		if err != nil {
			return err
		}
		hand(w, f, 1+slices.IndexFunc(c.Papers, func(p proxy.Paper) bool { return p.ID == paper }))
		return nil
	}
}
