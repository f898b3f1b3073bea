package custody

import (
	"context"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/console"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the pages begin.
const Path = "/operator/keys"

// Deps is what the handlers work with.
type Deps struct {
	console.Door
	// Items gives the keys of the tenant and the key-encryption key. Errors:
	// errs.Unavailable.
	Items func(ctx context.Context) ([]keys.Item, error)
	// Rotate makes the next signing key of a use; by prepares the audit event.
	// Errors: of keys.Custodian.RotateSigning.
	Rotate func(ctx context.Context, use keys.Use, by audit.Event) error
	// RequestID gives the id under which a request is logged.
	RequestID func(*http.Request) string
	// Sees and Holds report whether an account may look, and whether it keeps the
	// keys; errors are errs.Forbidden, errs.Unavailable.
	Sees, Holds console.May
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

var sign = console.Sign{
	Owner:   "web/pages/custody",
	Refusal: errs.New(errs.Forbidden, "custodian-page", "This page is for those who run the server and keep its keys."),
}

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	return []route.Route{
		h.Route(sign, http.MethodGet, Path, h.Sees, h.list),
		h.Route(sign, http.MethodGet, Path+"/{use}/rotate", h.Holds, h.ask),
		h.Route(sign, http.MethodPost, Path+"/{use}/rotate", h.Holds, h.rotate),
	}
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks() console.Tasks { return h.Task("staff.task.keys", Path) }

// list shows all keys, by what they are for, those that need a hand first.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	items, err := h.Items(r.Context())
	if err != nil {
		return err
	}
	keeps := h.Holds(r.Context(), id.Person)
	if keeps != nil && !errs.Is(keeps, errs.Forbidden) {
		return keeps
	}
	h.Kit.Render(w, r, http.StatusOK, pages.OperatorKeys{
		Frame: h.Frame(r, id, "/staff"), Groups: h.groups(items, keeps == nil), Keeps: keeps == nil,
	})
	return nil
}

func (h *Handler) groups(items []keys.Item, keeps bool) []pages.KeyGroup {
	now := h.Clock.Now()
	var out []pages.KeyGroup
	for _, kind := range keys.Kinds() {
		g := pages.KeyGroup{Kind: kind}
		if keeps && slices.Contains(keys.Uses(), keys.Use(kind)) {
			g.RotateURL = h.Session.Path(Path + "/" + kind + "/rotate")
		}
		for _, i := range items {
			if i.Kind == kind && i.State != "destroyed" {
				g.Keys = append(g.Keys, pages.KeyRow{ID: i.ID, Where: i.Where, State: i.State, Made: i.Created, Due: i.Due, Overdue: i.Overdue(now)})
				g.Overdue = g.Overdue || i.Overdue(now)
			}
		}
		if len(g.Keys) > 0 {
			out = append(out, g)
		}
	}
	slices.SortStableFunc(out, func(a, b pages.KeyGroup) int {
		switch {
		case a.Overdue == b.Overdue:
			return 0
		case a.Overdue:
			return -1
		}
		return 1
	})
	return out
}

// use gives the signing use of the path. Errors: errs.NotFound.
func use(r *http.Request) (keys.Use, error) {
	u := keys.Use(mux.Vars(r)["use"])
	if !slices.Contains(keys.Uses(), u) {
		return "", errs.New(errs.NotFound, "page-not-found", "There is no such page.")
	}
	return u, nil
}

// ask asks before a key is replaced.
func (h *Handler) ask(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	u, err := use(r)
	if err == nil {
		h.Kit.Render(w, r, http.StatusOK, pages.OperatorRotate{Frame: h.Frame(r, id, Path), Kind: string(u)})
	}
	return err
}

// rotate does what was answered; another answer than yes goes back.
func (h *Handler) rotate(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	u, err := use(r)
	if err != nil {
		return err
	}
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	if r.PostFormValue("answer") == "yes" {
		if err := h.Rotate(r.Context(), u, h.origin(r, id)); err != nil {
			return err
		}
	}
	http.Redirect(w, r, h.Session.Path(Path), http.StatusSeeOther)
	return nil
}

// origin prepares the audit event of a rotation.
func (h *Handler) origin(r *http.Request, id session.Identity) audit.Event {
	return audit.Event{PersonID: id.Person.ID, SessionID: id.Session.Hash, Network: h.Session.Address(r), RequestID: h.RequestID(r)}
}
