package messages

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access/lifecycle"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/notify/outbox"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/pages/desk"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

// Path is where messages are, ContactPath where people say what they want to hear.
const (
	Path        = "/messages"
	ContactPath = "/contact"
)

// shown is how many messages the page lists.
const shown = 100

// Inbox is where notices are.
type Inbox interface {
	outbox.Inbox
	// NoticeByID gives one, to whomever. Errors: errs.NotFound.
	NoticeByID(ctx context.Context, tenant, id string) (outbox.Notice, error)
}

// Deps is what the handlers work with.
type Deps struct {
	Inbox Inbox
	Life  *lifecycle.Service
	// Mail tells where e-mails to the person of a notice go, and whether somebody
	// who helps uses that address too; "" for nowhere.
	Mail func(ctx context.Context, p identity.Person) (address string, shared bool, err error)
	desk.Desk
}

// Handler serves the pages.
type Handler struct{ Deps }

// New makes the handler.
func New(d Deps) *Handler { return &Handler{Deps: d} }

// Routes lists what the package serves.
func (h *Handler) Routes() []route.Route {
	on := func(method, path string, a identity.Action, next http.Handler) route.Route {
		return route.Route{
			Method: method, Path: path, Auth: route.Session, PHI: route.Identifiers, Limit: "page", Owner: "web/pages/messages",
			Handler: h.Session.Protect(h.Session.Load(h.Session.For(a)(next))),
		}
	}
	return []route.Route{
		on(http.MethodGet, Path, identity.ActLook, h.Signed(h.list)),
		on(http.MethodPost, Path, identity.ActLook, h.Posted(h.read)),
		on(http.MethodGet, ContactPath, identity.ActLook, h.Signed(h.contact)),
		on(http.MethodPost, ContactPath, identity.ActShare, h.Posted(h.choose)),
	}
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	notices, err := h.Inbox.NoticesOf(r.Context(), id.Person.Tenant, id.Person.ID, shown)
	if err != nil {
		return err
	}
	page := pages.Messages{Frame: h.Frame(r, id, home(id)), Action: h.Session.Path(Path)}
	if !id.Person.Role.Staff() {
		page.ContactURL = h.Session.Path(ContactPath)
	}
	names := map[string]string{}
	for _, n := range notices {
		line, _, err := h.line(r.Context(), page.Lang, id.Person, n, names)
		if err != nil {
			return err
		}
		page.Items = append(page.Items, line)
	}
	if len(notices) > 0 {
		page.Until = strconv.FormatInt(notices[0].Created.UnixMicro(), 10)
	}
	h.Kit.Render(w, r, http.StatusOK, page)
	return nil
}

func home(id session.Identity) string {
	if id.Person.Role.Staff() {
		return "/staff"
	}
	return "/home"
}

// line words one message, and gives the case that it is about, if it is about one that
// is the reader's. One about a case that is gone, or that the reader is no party of any
// more, says that something changed and no more.
func (h *Handler) line(
	ctx context.Context, lang string, p identity.Person, n outbox.Notice, names map[string]string,
) (pages.MessageLine, proxy.Case, error) {
	out := pages.MessageLine{At: n.Created, New: n.Seen.IsZero(), Key: "other"}
	about := n.Args[outbox.ArgCase]
	if about == "" {
		h.keyed(&out, "account."+n.Template)
		return out, proxy.Case{}, nil
	}
	c, err := h.Life.MessageCase(ctx, lifecycle.Actor{Person: p}, about)
	if errs.Is(err, errs.NotFound) {
		return out, proxy.Case{}, nil
	}
	if err != nil {
		return out, c, err
	}
	side := "self."
	if c.PersonID == p.ID {
		side = "helper."
		out.Patient = h.patient(ctx, lang, c.Patient, c.Proofed(), names)
	} else {
		out.Who, out.URL = c.Name, h.Session.Path("/people/"+c.ID)
	}
	out.Count, _ = strconv.Atoi(n.Args[outbox.ArgCount])
	out.Since, _ = time.Parse(time.RFC3339, n.Args[outbox.ArgSince])
	h.keyed(&out, side+n.Template)
	return out, c, nil
}

// keyed takes the text of a message where there is one.
func (h *Handler) keyed(m *pages.MessageLine, key string) {
	c := h.Kit.Words()
	if c.Has("news."+key) || c.Has("news."+key+".other") {
		m.Key = key
	}
}

// patient names a patient to somebody who was proofed.
func (h *Handler) patient(ctx context.Context, lang, id string, proofed bool, names map[string]string) string {
	if !proofed {
		return h.Kit.Words().T(lang, "helping.somebody", nil)
	}
	if names[id] == "" {
		names[id] = h.Patient(ctx, id)
	}
	return names[id]
}

// read marks what was shown as read; what came since stays new.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	until, err := strconv.ParseInt(r.PostFormValue("until"), 10, 64)
	if err != nil {
		return errs.New(errs.Invalid, "messages-until", "The form does not say which messages were read.")
	}
	err = h.Inbox.NoticesSeen(r.Context(), id.Person.Tenant, id.Person.ID, time.UnixMicro(until), h.Clock.Now())
	if err == nil {
		http.Redirect(w, r, h.Session.Path(Path), http.StatusSeeOther)
	}
	return err
}

const fieldTell = "tell-"

func (h *Handler) contact(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	return h.showContact(w, r, id, http.StatusOK, "")
}

func (h *Handler) showContact(w http.ResponseWriter, r *http.Request, id session.Identity, status int, wrong string) error {
	address, shared, err := h.Mail(r.Context(), id.Person)
	if err != nil {
		return err
	}
	page := pages.Contact{Frame: h.Frame(r, id, Path), Action: h.Session.Path(ContactPath), Address: address, Shared: shared}
	if wrong != "" {
		page.Errors = []pages.FieldError{{Field: wrong, Key: pages.ErrChoose}}
	}
	if r.URL.Query().Get("done") != "" && wrong == "" {
		page.Notice = &pages.Notice{Tone: pages.Good, Key: pages.NoticeSaved}
	}
	cases, err := h.Life.Heard(r.Context(), h.Actor(r, id))
	if err != nil {
		return err
	}
	for _, c := range cases {
		p := pages.ContactPerson{Field: fieldTell + c.ID, Name: c.Name, Choice: string(c.Telling())}
		for _, t := range lifecycle.Tellings() {
			p.Choices = append(p.Choices, string(t))
		}
		page.People = append(page.People, p)
	}
	h.Kit.Render(w, r, status, page)
	return nil
}

func (h *Handler) choose(w http.ResponseWriter, r *http.Request, id session.Identity) error {
	for name, values := range r.PostForm {
		about, ok := strings.CutPrefix(name, fieldTell)
		if !ok || len(values) != 1 {
			continue
		}
		err := h.Life.Choose(r.Context(), h.Actor(r, id), about, values[0])
		if errs.Is(err, errs.Invalid) {
			return h.showContact(w, r, id, http.StatusBadRequest, name)
		}
		if err != nil {
			return err
		}
	}
	http.Redirect(w, r, h.Session.Path(ContactPath)+"?done=1", http.StatusSeeOther)
	return nil
}
