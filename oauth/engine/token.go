package engine

import (
	"context"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// TokenInput is a token request whose client is authenticated, whose rows
// were read and whose scopes were decided.
type TokenInput struct {
	Site   Site
	Client oauth.Client
	// Form is the strictly parsed body.
	Form url.Values
	Now  time.Time
	// Grant is zero for client_credentials. Code or Refresh is the row that
	// the request names.
	Grant   oauth.Grant
	Code    oauth.Code
	Refresh oauth.RefreshToken
	// Replayed says that the refresh token was used again after its grace.
	Replayed bool
	// Scopes and Expires are those of the access token; RefreshEnds is the
	// end of the next refresh token.
	Scopes      string
	Expires     time.Time
	RefreshEnds time.Time
	// Direct is set for a grant type that fosite does not know.
	Direct *Direct
}

// Issued is what a token request yields. Nothing of it may leave before
// Writes was applied.
type Issued struct {
	AccessToken  string
	TokenID      string
	RefreshToken string
	IDToken      string
	Writes       Writes
}

// Token runs fosite's token endpoint over the input. On a replay it returns
// the error together with the Writes that end the grant; they must be
// committed although the request is refused (SMART AZ-16, REF-08). Errors:
// those of RFC 6749 §5.2 and errs.Unavailable.
func (e *Engine) Token(ctx context.Context, in TokenInput) (Issued, error) {
	hasher, err := e.Ring.Hasher(ctx, in.Site.Tenant)
	if err != nil {
		return Issued{}, err
	}
	u := &unit{
		now: in.Now, site: in.Site, hasher: hasher, grant: in.Grant,
		client: client{
			Client: in.Client, scopes: words(in.Scopes),
			refresh: in.Grant.Offline || in.Grant.Online,
		},
		code: in.Code, refresh: in.Refresh, replayed: in.Replayed,
		scopes: in.Scopes, expires: second(in.Expires), refreshEnds: in.RefreshEnds,
	}
	u.fhirUser = fhirUser(in.Site, u)
	if in.Direct != nil {
		return e.direct(ctx, u, *in.Direct)
	}
	out, err := e.runToken(ctx, u, in)
	if err != nil {
		return Issued{Writes: Writes{RevokeGrant: u.writes.RevokeGrant, Reason: u.reason()}}, u.translate(err)
	}
	if u.begun && !u.committed {
		return Issued{}, errs.New(errs.Internal, "protocol-engine", "The request was not finished.")
	}
	out.TokenID, out.Writes = u.tokenID, u.writes
	return out, nil
}

func (e *Engine) runToken(ctx context.Context, u *unit, in TokenInput) (Issued, error) {
	values := url.Values{"scope": {in.Scopes}}
	for _, name := range []string{"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token"} {
		if in.Form.Has(name) {
			values.Set(name, in.Form.Get(name))
		}
	}
	machine := e.machine(u).token(values.Get("grant_type"), in.Client.RefreshIDToken)
	request, err := machine.NewAccessRequest(ctx, form(ctx, values), newSession(u, u.subject()))
	if err != nil {
		return Issued{}, err
	}
	for _, s := range words(in.Scopes) {
		request.GrantScope(s)
	}
	response, err := machine.NewAccessResponse(ctx, request)
	if err != nil {
		return Issued{}, err
	}
	out := Issued{AccessToken: response.GetAccessToken()}
	out.RefreshToken, _ = response.GetExtra("refresh_token").(string)
	out.IDToken, _ = response.GetExtra("id_token").(string)
	return out, nil
}

// reason says by what a replay ended the grant.
func (u *unit) reason() string {
	if u.cause == nil {
		return ""
	}
	return u.cause.Code
}
