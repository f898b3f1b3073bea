package app

import (
	"context"
	"net/url"
	"slices"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/pages/signin"
)

// leaving judges a request to sign a person out: whose app asks, and whether the
// browser may go where it says (OpenID Connect RP-Initiated Logout §2, §3).
// Errors: errs.InvalidRequest; errs.Unavailable.
func (t *tenant) leaving(ctx context.Context, tenant string, asked url.Values) (signin.Leaving, error) {
	var out signin.Leaving
	clientID := asked.Get("client_id")
	if raw := asked.Get("id_token_hint"); raw != "" {
		hint, err := t.engine.Verifier.Hint(ctx, tenant, raw)
		switch {
		case err != nil && !errs.Is(err, errs.Unauthenticated):
			return out, err
		case err != nil:
			return out, errs.New(errs.InvalidRequest, "logout-hint", "id_token_hint is no id_token of this server.")
		case clientID != "" && clientID != hint.ClientID:
			return out, errs.New(errs.InvalidRequest, "logout-client", "id_token_hint was given to another client than client_id.")
		}
		clientID, out.PersonID = hint.ClientID, hint.Subject
	}
	redirect := asked.Get("post_logout_redirect_uri")
	if clientID == "" {
		if redirect != "" {
			return out, errs.New(errs.InvalidRequest, "logout-client", "post_logout_redirect_uri needs id_token_hint or client_id.")
		}
		return out, nil
	}
	client, err := t.memory.ClientByID(ctx, tenant, clientID)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return out, err
	}
	if err != nil || client.Disabled {
		return out, errs.New(errs.InvalidRequest, "logout-client", "There is no such client.")
	}
	out.AppName = client.Name
	if redirect == "" {
		return out, nil
	}
	u, err := url.Parse(redirect)
	if err != nil || !slices.Contains(client.PostLogoutRedirectURIs, redirect) {
		return out, errs.New(errs.InvalidRequest, "logout-redirect", "post_logout_redirect_uri is not registered for the client.")
	}
	if state := asked.Get("state"); state != "" {
		q := u.Query()
		q.Set("state", state)
		u.RawQuery = q.Encode()
	}
	out.Redirect = u.String()
	return out, nil
}
