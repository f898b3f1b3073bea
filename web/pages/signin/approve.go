package signin

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

const (
	approvePath = "/signin/approve"
	goOnPath    = approvePath + "/done"
)

// Approvals is what the pages need of identity.Service for log-ins that another device
// approves.
type Approvals interface {
	AskApproval(ctx context.Context, tenant, secret string, m identity.Meta) (identity.Approval, error)
	ApprovalOf(ticket string) identity.Approval
	TakeApproval(ctx context.Context, tenant, secret, ticket string, m identity.Meta) (identity.SignInResult, error)
}

// approveAction is where other devices are asked, "" where none can answer.
func (h *Handlers) approveAction(c identity.StepUpChoices) string {
	if h.d.Approvals == nil || !c.Approve {
		return ""
	}
	return h.path(approvePath)
}

// approvalRoutes are those of a log-in that another device approves.
func (h *Handlers) approvalRoutes(open func(method, path, limit, reason string, f http.HandlerFunc) route.Route) []route.Route {
	if h.d.Approvals == nil {
		return nil
	}
	return []route.Route{
		open("POST", approvePath, limited, "needs the cookie of the first step and a form token", h.askApproval),
		open("POST", goOnPath, limited, "needs the cookie of the first step, a form token and an approved ticket", h.approved),
	}
}

// askApproval asks the other devices and shows the number.
func (h *Handlers) askApproval(w http.ResponseWriter, r *http.Request) {
	g := h.goal(r)
	if err := h.d.Sessions.Check(r, session.PurposePage); err != nil {
		h.againCode(w, r, g, http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	a, err := h.d.Approvals.AskApproval(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), h.d.Sessions.Meta(r, h.chosen(r)))
	switch {
	case err == nil:
		h.showNumber(w, r, http.StatusOK, g, a)
	case errs.As(err).Code == "approval-nobody":
		h.againCode(w, r, g, http.StatusConflict, pages.FieldError{Key: pages.ErrApprovalOver})
	default:
		h.failedCode(w, r, g, err)
	}
}

func (h *Handlers) showNumber(w http.ResponseWriter, r *http.Request, status int, g goal, a identity.Approval, e ...pages.FieldError) {
	f := h.frame(r, g)
	f.Errors = e
	h.d.Pages.Render(w, r, status, pages.ApproveWait{
		Frame: f, Action: h.path(goOnPath), Next: g.value, Ticket: a.Ticket, Number: a.Number, OtherURL: h.with(codePath, g),
	})
}

// approved goes on when the number was typed.
func (h *Handlers) approved(w http.ResponseWriter, r *http.Request) {
	g, ticket := h.goal(r), r.PostForm.Get("ticket")
	if err := h.d.Sessions.Check(r, session.PurposePage); err != nil {
		h.againCode(w, r, g, http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	res, err := h.d.Approvals.TakeApproval(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), ticket, h.d.Sessions.Meta(r, h.chosen(r)))
	switch {
	case err == nil:
		h.proceed(w, r, res, g)
	case errs.As(err).Code == "approval-waiting":
		h.showNumber(w, r, http.StatusConflict, g, h.d.Approvals.ApprovalOf(ticket), pages.FieldError{Key: pages.ErrApprovalWaiting})
	case errs.As(err).Code == "approval-denied", errs.As(err).Code == "approval-late":
		h.againCode(w, r, g, http.StatusUnauthorized, pages.FieldError{Key: pages.ErrApprovalOver})
	case errs.As(err).Code == "sign-in-unusual":
		h.againCode(w, r, g, http.StatusForbidden, pages.FieldError{Key: pages.ErrUnusual})
	default:
		h.failedCode(w, r, g, err)
	}
}

// againCode shows the ways to prove a second factor again, with what is wrong.
func (h *Handlers) againCode(w http.ResponseWriter, r *http.Request, g goal, status int, e ...pages.FieldError) {
	f := h.frame(r, g)
	f.Errors = e
	h.showCode(w, r, status, f, g)
}

// failedCode answers what no form can say better.
func (h *Handlers) failedCode(w http.ResponseWriter, r *http.Request, g goal, err error) {
	if errs.As(err).Code == "session-ended" {
		http.Redirect(w, r, h.with(entryPath, g), http.StatusSeeOther)
		return
	}
	h.d.Refuse(w, r, err)
}
