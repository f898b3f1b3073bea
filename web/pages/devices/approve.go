package devices

import (
	"context"
	"net/http"
	"strings"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// ApprovePath is where a log-in on another device is approved.
const ApprovePath = "/approve"

// Approvals is what the page needs of identity.Service.
type Approvals interface {
	Approvals(ctx context.Context, mine identity.Session) ([]identity.Asking, error)
	AnswerApproval(ctx context.Context, tenant, secret, id, number string, m identity.Meta) error
}

// ApproveURL gives the page on which a log-in waits for this device, "" for none.
// Errors: errs.Unavailable.
func (h *Handler) ApproveURL(r *http.Request, id session.Identity) (string, error) {
	all, err := h.d.Approvals.Approvals(r.Context(), id.Session)
	if err != nil || len(all) == 0 {
		return "", err
	}
	return h.d.Session.Path(ApprovePath), nil
}

func (h *Handler) approveFrame(r *http.Request, e ...pages.FieldError) pages.Frame {
	id, _ := session.From(r)
	f := pages.Frame{
		Lang: h.d.Kit.Lang(r), SignedInAs: id.Person.Name, Staff: id.Person.Role.Staff(), CSRF: h.d.Session.Token(r, session.PurposePage),
		Now: h.d.Clock.Now(), SessionEnds: id.Session.IdleEnds, StayURL: h.d.Session.Path(pages.StayPath), BackURL: h.d.Session.Path("/home"), Errors: e,
	}
	if f.Staff {
		f.BackURL = h.d.Session.Path("/staff")
	}
	return f
}

// asked shows the log-in that waits: the newest one.
func (h *Handler) asked(w http.ResponseWriter, r *http.Request) { h.showAsked(w, r, http.StatusOK) }

func (h *Handler) showAsked(w http.ResponseWriter, r *http.Request, status int, e ...pages.FieldError) {
	id, _ := session.From(r)
	all, err := h.d.Approvals.Approvals(r.Context(), id.Session)
	if err != nil {
		h.d.Page(w, r, err)
		return
	}
	p := pages.Approve{Frame: h.approveFrame(r, e...), Action: h.d.Session.Path(ApprovePath)}
	p.Notice = map[string]*pages.Notice{
		"yes": {Tone: pages.Good, Key: pages.NoticeApproved}, "no": {Tone: pages.Info, Key: pages.NoticeDenied},
	}[r.URL.Query().Get("done")]
	if len(all) > 0 {
		a := all[0]
		browser, system, _ := strings.Cut(a.Agent, "/")
		p.ID, p.Browser, p.System, p.Network, p.Country, p.At = a.ID, browser, system, a.Network, a.Country, a.Created
	}
	h.d.Kit.Render(w, r, status, p)
}

// answer takes the number, or the denial.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request) {
	if err := h.d.Session.Check(r, session.PurposePage); err != nil {
		h.showAsked(w, r, http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	number, done := words.PlainDigits(strings.TrimSpace(r.PostForm.Get("number"))), "yes"
	if r.PostForm.Get("answer") == "deny" {
		number, done = "", "no"
	} else if number == "" {
		// Only the button denies: an empty field approves nothing and denies nothing.
		h.showAsked(w, r, http.StatusBadRequest, pages.FieldError{Field: "number", Key: pages.ErrRequired})
		return
	}
	err := h.d.Approvals.AnswerApproval(r.Context(), h.d.Session.Tenant(r), session.Secret(r), r.PostForm.Get("id"), number, h.d.Session.Meta(r, ""))
	switch {
	case err == nil:
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, h.d.Session.Path(ApprovePath)+"?done="+done, http.StatusSeeOther)
	case errs.As(err).Code == "code-refused":
		h.showAsked(w, r, http.StatusUnauthorized, pages.FieldError{Field: "number", Key: pages.ErrNumber})
	case errs.As(err).Code == "approval-over":
		h.showAsked(w, r, http.StatusConflict, pages.FieldError{Key: pages.ErrApprovalOver})
	default:
		h.d.Page(w, r, err)
	}
}
