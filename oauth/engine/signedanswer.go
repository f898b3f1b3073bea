package engine

import (
	"context"

	"github.com/mandate-health/mandate/oauth"
)

// typIntrospection is the header type of a signed answer (RFC 9701 §5), which
// keeps it from being taken for any other token.
const typIntrospection = "token-introspection+jwt"

// signedAnswer are the claims of RFC 9701 §5: what the token is stands in a member
// of its own, never among the claims of the answer.
type signedAnswer struct {
	Issuer   string        `json:"iss"`
	Audience string        `json:"aud"`
	Issued   int64         `json:"iat"`
	Token    Introspection `json:"token_introspection"`
}

// SignIntrospection signs an answer for the client that asked, with the algorithm
// that it registered, RS256 when it registered none. Errors: errs.Unavailable.
func (e *Engine) SignIntrospection(ctx context.Context, site Site, caller oauth.Client, answer Introspection) (string, error) {
	return e.Ring.Sign(ctx, site.Tenant, signingUse(caller.IntrospectionAlg), typIntrospection, signedAnswer{
		Issuer: site.Issuer, Audience: caller.ID, Issued: second(e.Clock.Now()).Unix(), Token: answer,
	})
}
