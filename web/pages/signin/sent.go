package signin

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/words"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/route"
	"github.com/mandate-health/mandate/web/session"
)

const (
	sendPath = "/signin/send"
	sentPath = "/signin/sent"
)

// SentCodes is what the pages need of identity.Service for codes by e-mail and SMS.
type SentCodes interface {
	SendSignInCode(ctx context.Context, tenant, secret string, way identity.FactorKind, m identity.Meta) error
	FinishWithSentCode(ctx context.Context, tenant, secret, code string, m identity.Meta) (identity.SignInResult, error)
}

// sentRoutes are those of codes that are sent.
func (h *Handlers) sentRoutes(open func(method, path, limit, reason string, f http.HandlerFunc) route.Route) []route.Route {
	if h.d.SentCodes == nil {
		return nil
	}
	return []route.Route{
		open("POST", sendPath, limited, "needs the cookie of the first step and a form token; sends a code to the person", h.send),
		open("POST", sentPath, limited, "checks the code itself, the cookie of the first step and a form token", h.sent),
	}
}

// send sends a code and asks for it.
func (h *Handlers) send(w http.ResponseWriter, r *http.Request) {
	g, way := h.goal(r), identity.FactorKind(r.PostForm.Get("way"))
	if err := h.d.Sessions.Check(r, session.PurposePage); err != nil {
		h.againCode(w, r, g, http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	err := h.d.SentCodes.SendSignInCode(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), way, h.d.Sessions.Meta(r, h.chosen(r)))
	switch {
	case err == nil:
		h.showSent(w, r, http.StatusOK, g, way)
	case errs.As(err).Code == "code-unavailable":
		h.againCode(w, r, g, http.StatusConflict, pages.FieldError{Key: pages.ErrUnsendable})
	case errs.Is(err, errs.RateLimited):
		h.againCode(w, r, g, http.StatusTooManyRequests, tooMany(w, err))
	default:
		h.failedCode(w, r, g, err)
	}
}

func (h *Handlers) showSent(w http.ResponseWriter, r *http.Request, status int, g goal, way identity.FactorKind, e ...pages.FieldError) {
	if way != identity.FactorSMS {
		way = identity.FactorEmail
	}
	f := h.frame(r, g)
	f.Errors = e
	h.d.Pages.Render(w, r, status, pages.SentCode{
		Frame: f, Action: h.path(sentPath), AgainAction: h.path(sendPath), Way: string(way), Next: g.value, OtherURL: h.with(codePath, g),
	})
}

// sent takes the code.
func (h *Handlers) sent(w http.ResponseWriter, r *http.Request) {
	g, way := h.goal(r), identity.FactorKind(r.PostForm.Get("way"))
	again := func(status int, e ...pages.FieldError) { h.showSent(w, r, status, g, way, e...) }
	if err := h.d.Sessions.Check(r, session.PurposePage); err != nil {
		again(http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	if missing := required(r, "code"); missing != nil {
		again(http.StatusBadRequest, missing...)
		return
	}
	res, err := h.d.SentCodes.FinishWithSentCode(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), words.PlainDigits(r.PostForm.Get("code")),
		h.d.Sessions.Meta(r, h.chosen(r)))
	switch {
	case err == nil:
		h.proceed(w, r, res, g)
	case errs.As(err).Code == "code-refused":
		again(http.StatusUnauthorized, pages.FieldError{Field: "code", Key: pages.ErrSentCode})
	case errs.Is(err, errs.RateLimited):
		again(http.StatusTooManyRequests, tooMany(w, err))
	case errs.As(err).Code == "sign-in-unusual":
		again(http.StatusForbidden, pages.FieldError{Key: pages.ErrUnusual})
	default:
		h.failedCode(w, r, g, err)
	}
}
