package signin

import (
	"context"
	"net/http"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages"
	"github.com/mandate-health/mandate/web/session"
)

// Passkeys is what the pages need of identity.Service besides, for passkeys.
type Passkeys interface {
	PasskeyRequest(binding string) ([]byte, error)
	SignInWithPasskey(ctx context.Context, tenant, binding string, answer []byte, m identity.Meta) (identity.SignInResult, error)
	StepUp(ctx context.Context, tenant, secret, binding string, to identity.Level) (identity.StepUpChoices, error)
	StepUpWithPasskey(ctx context.Context, tenant, secret, binding string, answer []byte, m identity.Meta) (identity.SignInResult, error)
}

// binding names the browser and its session for a challenge.
func (h *Handlers) binding(r *http.Request) string {
	return h.d.Sessions.Token(r, session.PurposePasskey)
}

// passkeyForm gives the form of a log-in by passkey. Without it the page still
// takes a password, so its fault is no error.
func (h *Handlers) passkeyForm(r *http.Request, g goal) pages.Passkey {
	if h.d.Passkeys == nil {
		return pages.Passkey{}
	}
	options, err := h.d.Passkeys.PasskeyRequest(h.binding(r))
	if err != nil {
		return pages.Passkey{}
	}
	return pages.Passkey{Action: h.path(keyPath), Options: string(options), Next: g.value}
}

// proofForm gives the form of a second factor by passkey, and what other ways the
// person has to reach the level asked for.
func (h *Handlers) proofForm(r *http.Request, g goal, level identity.Level) (key pages.Passkey, choices identity.StepUpChoices, err error) {
	if h.d.Passkeys == nil {
		return pages.Passkey{}, identity.StepUpChoices{Code: level == identity.AAL2}, nil
	}
	choices, err = h.d.Passkeys.StepUp(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), h.binding(r), level)
	return pages.Passkey{Action: h.path(proofPath), Options: string(choices.Passkey), Next: g.value, Bound: level == identity.AAL3}, choices, err
}

// passkey takes the answer to the form of the log-in pages.
func (h *Handlers) passkey(w http.ResponseWriter, r *http.Request) {
	g := h.goal(r)
	refuse := func(status int, e pages.FieldError) {
		f := h.frame(r, g)
		f.Errors = []pages.FieldError{e}
		h.show(w, r, status, false, f, g, nil)
	}
	if !h.passkeyPosted(r) {
		refuse(http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	res, err := h.d.Passkeys.SignInWithPasskey(r.Context(), h.d.Sessions.Tenant(r), h.binding(r),
		[]byte(r.PostForm.Get(pages.FieldCredential)), h.d.Sessions.Meta(r, h.chosen(r)))
	h.answered(w, r, res, err, g, refuse)
}

// proof takes the answer to the form of the second factor.
func (h *Handlers) proof(w http.ResponseWriter, r *http.Request) {
	g := h.goal(r)
	refuse := func(status int, e pages.FieldError) {
		f := h.frame(r, g)
		f.Errors = []pages.FieldError{e}
		h.showCode(w, r, status, f, g)
	}
	if !h.passkeyPosted(r) {
		refuse(http.StatusForbidden, pages.FieldError{Key: pages.ErrExpiredForm})
		return
	}
	res, err := h.d.Passkeys.StepUpWithPasskey(r.Context(), h.d.Sessions.Tenant(r), session.Secret(r), h.binding(r),
		[]byte(r.PostForm.Get(pages.FieldCredential)), h.d.Sessions.Meta(r, h.chosen(r)))
	if errs.Is(err, errs.Unauthenticated) && errs.As(err).Code == "session-ended" {
		http.Redirect(w, r, h.with(entryPath, g), http.StatusSeeOther)
		return
	}
	h.answered(w, r, res, err, g, refuse)
}

func (h *Handlers) passkeyPosted(r *http.Request) bool {
	return h.d.Passkeys != nil && h.d.Sessions.Check(r, session.PurposePage) == nil
}

func (h *Handlers) answered(w http.ResponseWriter, r *http.Request, res identity.SignInResult, err error, g goal, refuse func(int, pages.FieldError)) {
	switch errs.KindOf(err) {
	case "":
		h.proceed(w, r, res, g)
	case errs.Unauthenticated, errs.Invalid:
		refuse(http.StatusUnauthorized, pages.FieldError{Key: pages.ErrPasskey})
	case errs.Forbidden:
		refuse(http.StatusForbidden, pages.FieldError{Key: pages.PasskeyUnfit(errs.As(err).Code)})
	case errs.RateLimited:
		refuse(http.StatusTooManyRequests, tooMany(w, err))
	default:
		h.d.Refuse(w, r, err)
	}
}
