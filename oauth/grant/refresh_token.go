package grant

import (
	"context"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
)

// refreshToken rotates a refresh token (RFC 6749 §6, SMART REF-*).
type refreshToken struct{}

// Name gives "refresh_token".
func (refreshToken) Name() string { return "refresh_token" }

// Holder gives the client to which a presented refresh token belongs, "" when
// it is unknown. Public apps leave their client_id out when they refresh, as
// SMART's table of parameters does (AL Refresh); such a request then counts as
// that client's, which a confidential one must still prove to be.
func (e *Endpoint) Holder(ctx context.Context, tenant, presented string) (string, error) {
	hasher, err := e.Engine.Ring.Hasher(ctx, tenant)
	if err != nil {
		return "", err
	}
	ref := engine.ReadRefresh(hasher, presented)
	ref.Rotates = true
	row, _, err := e.Reader.RefreshStanding(ctx, tenant, ref)
	if errs.Is(err, errs.NotFound) {
		return "", nil
	}
	return row.ClientID, err
}

// Fill finds the refresh token and its grant. A token of another client is
// told as unknown and stays as it is (REF-02).
func (refreshToken) Fill(ctx context.Context, in Asked) (Blanks, error) {
	presented := in.Form.Get("refresh_token")
	if presented == "" {
		return Blanks{}, errs.New(errs.InvalidRequest, "parameter-missing", "refresh_token is missing.")
	}
	unknown := errs.New(errs.InvalidGrant, "refresh-unknown", "The refresh token is refused: it is not known.")
	ref := engine.ReadRefresh(in.Hasher, presented)
	ref.Rotates = !in.Certain
	row, st, err := in.Reader.RefreshStanding(ctx, in.Site.Tenant, ref)
	if errs.Is(err, errs.NotFound) || err == nil && row.ClientID != in.Client.ID {
		return Blanks{}, unknown
	}
	if err != nil {
		return Blanks{}, err
	}
	g := st.Grant
	b := Blanks{Grant: g, Standing: st, Refresh: row, Scopes: g.Scopes, Renews: true}
	if !st.Live(in.Now) || !g.Offline && !g.Online {
		return b, errEnded()
	}
	// Before a replay is looked for: who has a token without its key must not be
	// able to end the grant of the one who has both.
	if err := holds(row.Confirmation, in.Confirmation); err != nil {
		return b, err
	}
	if !row.Rotated.IsZero() {
		b.Successor, err = successor(ctx, in, row, presented)
		if b.Replayed = b.Successor == ""; err != nil || b.Replayed {
			return b, err
		}
	}
	if in.Form.Has("scope") {
		b.Scopes, b.Explained, err = subset(g.Scopes, in.Form.Get("scope"))
	}
	return b, err
}

// successor gives the refresh token that took the place of a rotated one, for as
// long as a lost answer may be asked for again (REF-09): it is "" after that, and
// when the successor was used itself, which makes the request a replay (REF-08).
func successor(ctx context.Context, in Asked, row oauth.RefreshToken, presented string) (string, error) {
	if row.Spent || in.Now.Sub(row.Rotated) > engine.Grace {
		return "", nil
	}
	for _, next := range engine.Successors(in.Hasher, row.GrantID, presented, row.Rotated) {
		found, _, err := in.Reader.RefreshStanding(ctx, in.Site.Tenant, engine.ReadRefresh(in.Hasher, next))
		if err == nil && found.Rotated.IsZero() {
			return next, nil
		}
		if err != nil && !errs.Is(err, errs.NotFound) {
			return "", err
		}
	}
	return "", nil
}

// subset gives the requested scopes when the granted ones cover them, in the
// order and words of the request (REF-04). Scopes that are no clinical ones
// are tolerated and left out when they were not granted: apps send what they
// once sent to the authorization endpoint (D11); explained names them. Errors:
// errs.InvalidScope.
func subset(granted, requested string) (scopes string, explained []access.Explanation, err error) {
	g, err := scope.Parse(granted, oauth.StoredScopes())
	if err != nil {
		return "", explained, errs.Wrap(err, errs.Internal, "grant-scopes", "The scopes of the grant cannot be read.")
	}
	r, err := scope.Parse(requested, oauth.StoredScopes())
	if err != nil {
		return "", explained, err
	}
	var out []string
	for _, text := range r.Texts {
		if s, clinical := scope.ParseScope(text); clinical {
			if !slices.Contains(g.Texts, text) && !g.Clinical.Covers(s) {
				explained = []access.Explanation{{Scope: text, Code: access.WhyNotGranted}}
				return "", explained, errs.New(errs.InvalidScope, "scope-wider-than-grant", "The scope asks for more than was granted.")
			}
			out = append(out, text)
		} else if slices.Contains(g.Texts, text) {
			out = append(out, text)
		} else {
			explained = append(explained, access.Explanation{Scope: text, Code: access.WhyNotGranted})
		}
	}
	if len(out) == 0 {
		return "", explained, errs.New(errs.InvalidScope, "scope-empty", "The scope asks for nothing that was granted.")
	}
	return strings.Join(out, " "), explained, nil
}
