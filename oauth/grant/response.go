package grant

import (
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
)

// Response is a successful token response: the launch context stands beside
// the tokens (SMART TOK-05…TOK-10, CTX-01…CTX-12).
type Response struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	// ExpiresIn is in seconds.
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	// IssuedTokenType is there in the answer to a token exchange only.
	IssuedTokenType string `json:"issued_token_type,omitempty"`
	oauth.Context
	// Details is there for a client that registered authorization_details_types.
	Details []Detail `json:"authorization_details,omitempty"`
	// Nonce is for the header DPoP-Nonce, empty for none.
	Nonce string `json:"-"`
}

// response puts the answer together.
func (a *attempt) response(issued engine.Issued) Response {
	return Response{
		AccessToken: issued.AccessToken, TokenType: a.confirmation().TokenType(),
		ExpiresIn: a.expires.Unix() - a.now.Unix(), Scope: a.scopes,
		RefreshToken: issued.RefreshToken, IDToken: issued.IDToken, IssuedTokenType: a.blanks.TokenType,
		Context: a.blanks.Grant.Context, Details: a.details(), Nonce: a.nonce,
	}
}
