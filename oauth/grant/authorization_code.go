package grant

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/engine"
)

// authorizationCode redeems a code (RFC 6749 §4.1.3, RFC 7636).
type authorizationCode struct{}

// Name gives "authorization_code".
func (authorizationCode) Name() string { return "authorization_code" }

// Fill finds the code and its grant. A code of another client is told as
// unknown and stays as it is. Single use, expiry and the verifier's hash are
// judged by the engine.
func (authorizationCode) Fill(ctx context.Context, in Asked) (Blanks, error) {
	if in.Client.ForItself() {
		return Blanks{}, errUnauthorized()
	}
	for _, name := range []string{"code", "redirect_uri"} {
		if !in.Form.Has(name) {
			return Blanks{}, errs.New(errs.InvalidRequest, "parameter-missing", name+" is missing.")
		}
	}
	if !in.Form.Has("code_verifier") {
		return Blanks{}, errs.New(errs.InvalidGrant, "verifier-missing", "code_verifier is missing.")
	}
	if !verifier(in.Form.Get("code_verifier")) {
		return Blanks{}, errs.New(errs.InvalidGrant, "verifier-malformed", "code_verifier must have 43 to 128 unreserved characters.")
	}
	unknown := errs.New(errs.InvalidGrant, "code-unknown", "The authorization code is refused: it is not known.")
	code, st, err := in.Reader.CodeStanding(ctx, in.Site.Tenant, engine.ReadCode(in.Hasher, in.Form.Get("code")))
	if errs.Is(err, errs.NotFound) || err == nil && code.ClientID != in.Client.ID {
		return Blanks{}, unknown
	}
	if err != nil {
		return Blanks{}, err
	}
	g := st.Grant
	b := Blanks{Grant: g, Standing: st, Code: code, Scopes: g.Scopes}
	switch {
	case !code.Used.IsZero():
		// A replay is the engine's to refuse, because it ends the grant.
	case !st.Live(in.Now):
		return b, errEnded()
	case in.Form.Get("redirect_uri") != code.RedirectURI:
		return b, errs.New(errs.InvalidGrant, "redirect-uri-mismatch", "redirect_uri is not that of the authorization request.")
	}
	return b, holds(code.Confirmation, in.Confirmation)
}

// verifier reports whether s has the form of a code_verifier (SMART PKCE-05).
func verifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	return true
}

func errUnauthorized() error {
	return errs.New(errs.UnauthorizedClient, "grant-type-not-registered", "This client is not registered for this grant type.")
}

func errEnded() error {
	return errs.New(errs.InvalidGrant, "grant-ended", "The access that was granted has ended.")
}
