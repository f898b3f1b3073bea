package engine

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

// logoutLife is how long a logout token is good for: as short as a delivery may
// take.
const logoutLife = 2 * time.Minute

const (
	typLogout   = "logout+jwt"
	eventLogout = "http://schemas.openid.net/event/backchannel-logout"
)

// logoutClaims are the claims of a logout token (OpenID Connect Back-Channel
// Logout §2.4). It has no nonce, so that nobody takes it for an id_token.
type logoutClaims struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	Issued    int64               `json:"iat"`
	Expires   int64               `json:"exp"`
	ID        string              `json:"jti"`
	SessionID string              `json:"sid"`
	Events    map[string]struct{} `json:"events"`
}

// LogoutToken signs what tells an app that a session ended, with the key of its
// id_tokens. Errors: errs.NotFound for a tenant that is not served;
// errs.Unavailable.
func (e *Engine) LogoutToken(ctx context.Context, tenant string, c oauth.Client, subject, sessionID, id string) (string, error) {
	site, err := e.Verifier.Sites.Site(ctx, tenant)
	if err != nil {
		return "", err
	}
	now := e.Clock.Now()
	return e.Ring.Sign(ctx, tenant, signingUse(c.IDTokenAlg), typLogout, logoutClaims{
		Issuer: site.Issuer, Subject: subject, Audience: c.ID, Issued: now.Unix(), Expires: now.Add(logoutLife).Unix(),
		ID: id, SessionID: sessionID, Events: map[string]struct{}{eventLogout: {}},
	})
}

// signingUse is the use of the key that signs for a client with the algorithm
// that it registered, RS256 when it registered none (D2).
func signingUse(alg string) keys.Use {
	if alg == "ES256" {
		return keys.UseIDTokenES256
	}
	return keys.UseIDToken
}
