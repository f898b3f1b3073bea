package why

import (
	"context"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/explain"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/console"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where the page is.
const Path = "/operator/explain"

// maxText bounds what is typed into a field, in bytes.
const maxText = 4096

// Deps is what the handlers work with.
type Deps struct {
	console.Door
	Ask func(ctx context.Context, q explain.Question, by audit.Event) (explain.Explanation, error)
	// Sees and Holds report whether an account may ask about events, and about all
	// else; errors are errs.Forbidden, errs.Unavailable.
	Sees, Holds console.May
	RequestID   func(*http.Request) string
}

// Handler serves the page.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

var sign = console.Sign{
	Owner: "web/pages/why", Refusal: errs.New(errs.Forbidden, "explain-page", "This page is for those who run the server, and those who check what was done."),
}

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	out := []route.Route{
		h.Route(sign, http.MethodGet, Path, h.Sees, h.form),
		h.Route(sign, http.MethodPost, Path, h.Sees, h.answer),
	}
	for i := range out {
		out[i].PHI = route.Identifiers
	}
	return out
}

// Tasks gives the link of the console's start page.
func (h *Handler) Tasks() console.Tasks { return h.Task("staff.task.explain", Path) }

// form shows the empty form. An id of an event may come with a link.
func (h *Handler) form(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	p := pages.OperatorExplain{Frame: h.Frame(r, id, "/staff"), Of: pages.ExplainGrant}
	if event := r.URL.Query().Get("event"); event != "" && len(event) <= maxText {
		p.Of, p.ID = pages.ExplainEvent, event
	}
	h.Kit.Render(w, r, http.StatusOK, p)
	return nil
}

// answer asks and shows the answer below the form.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	if err := h.Session.Check(r, session.PurposePage); err != nil {
		return err
	}
	p := pages.OperatorExplain{
		Frame: h.Frame(r, id, "/staff"), Of: r.PostFormValue("of"),
		ID: strings.TrimSpace(r.PostFormValue("id")), Request: strings.TrimSpace(r.PostFormValue("request")),
	}
	again := func(field, key string) error {
		p.Errors = []pages.FieldError{{Field: field, Key: key}}
		h.Kit.Render(w, r, http.StatusBadRequest, p)
		return nil
	}
	q := explain.Question{Request: p.Request}
	switch p.Of {
	case pages.ExplainGrant:
		q.Grant = p.ID
	case pages.ExplainClient:
		q.Client = p.ID
	case pages.ExplainEvent:
		q.Event, q.Request = p.ID, ""
	default:
		return again("of", pages.ErrChoose)
	}
	switch {
	case p.ID == "" || len(p.ID) > maxText:
		return again("id", pages.ErrRequired)
	case q.Event == "" && (p.Request == "" || len(p.Request) > maxText):
		return again("request", pages.ErrRequired)
	}
	if q.Event == "" {
		if err := h.Holds(r.Context(), id.Person); err != nil {
			return err
		}
	}
	x, err := h.Ask(r.Context(), q, h.by(r, id))
	switch kind := errs.KindOf(err); {
	case err == nil:
		p.Answer = shown(x)
		h.Kit.Render(w, r, http.StatusOK, p)
		return nil
	case (kind == errs.NotFound || kind == errs.Gone) && errs.As(err).Code != "unknown-type",
		errs.As(err).Code == "explain-event" || errs.As(err).Code == "explain-client":
		return again("id", pages.ErrExplainID)
	case kind == errs.Invalid || kind == errs.NotFound || kind == errs.NotSupported || kind == errs.TooLarge:
		return again("request", pages.ErrExplainRequest)
	}
	return err
}

// by prepares the audit event of the question.
func (h *Handler) by(r *http.Request, id session.Identity) audit.Event {
	return audit.Event{
		Time: h.Clock.Now(), PersonID: id.Person.ID, SessionID: id.Session.Hash, Network: h.Session.Address(r), RequestID: h.RequestID(r),
	}
}

// shown gives an answer as the page shows it.
func shown(x explain.Explanation) *pages.Explained {
	out := &pages.Explained{
		Allowed: x.Decision == explain.Permit, Sentence: x.Sentence, Rule: x.Rule, Code: x.Code, Request: x.Request, Resource: x.Resource,
		Scopes: x.Scopes, Near: x.Near, Consents: x.Consents, Narrowed: x.Narrowed, Filtered: x.Filtered, Grant: x.Grant, Client: x.Client, Patient: x.Patient,
	}
	if r := x.Relationship; r != nil {
		out.Relation, out.InForce = r.Reference+" → "+r.Patient, r.InForce
	}
	if e := x.Event; e != nil {
		out.Then = &pages.ExplainedThen{
			At: e.Time, Allowed: e.Outcome == explain.Permit, Rule: e.Rule, Code: e.Code, Sentence: e.Sentence,
			Scopes: e.Scopes, Consents: e.Consents, Delivered: e.Delivered, Same: e.Same, Gone: e.Gone,
		}
		if e.Acting != "" {
			out.Then.Relation = e.Acting + " → " + e.Patient
		}
	}
	return out
}
