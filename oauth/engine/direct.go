package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/mandate-health/mandate/oauth"
)

// Direct is what a grant type that fosite does not know gives out: always an
// access token, and beside it what is said here.
type Direct struct {
	// Person gives the tokens that go to an app at which the person answered: a
	// refresh token where the grant is kept, an id_token where openid is granted.
	Person bool
	// Act and Parents make the access token a delegated one.
	Act     *oauth.Actor
	Parents []Parent
}

// direct issues without fosite. Everything was judged before; what is collected
// is committed by the caller, as for every other grant type.
func (e *Engine) direct(ctx context.Context, u *unit, d Direct) (Issued, error) {
	u.act, u.parents = d.Act, d.Parents
	s := &strategy{engine: e, unit: u}
	var out Issued
	var err error
	if out.AccessToken, out.TokenID, err = s.GenerateAccessToken(ctx, nil); err != nil {
		return Issued{}, err
	}
	if d.Person && u.client.refresh {
		out.RefreshToken = u.hasher.Secret(e.IDs)
		u.writes.CreateRefresh = &oauth.RefreshToken{
			Tenant: u.site.Tenant, Hash: RefreshHash(u.hasher, out.RefreshToken), GrantID: u.grant.ID, ClientID: u.client.ID,
			Issued: u.now, Expires: u.refreshEnds,
		}
	}
	if d.Person && slices.Contains(words(u.scopes), "openid") {
		// RS256 and ES256 both mean the left half of a SHA-256 (OIDC Core §3.1.3.6).
		sum := sha256.Sum256([]byte(out.AccessToken))
		if out.IDToken, err = s.idToken(ctx, base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])); err != nil {
			return Issued{}, err
		}
	}
	out.Writes = u.writes
	return out, nil
}
