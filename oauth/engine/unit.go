package engine

import (
	"context"
	"net/url"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/handler/pkce"
	"github.com/ory/fosite/storage"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/oauth"
)

// fosite finds these by type assertion and is quietly unsafe when one is
// missing.
var (
	_ fosite.Storage                     = (*unit)(nil)
	_ oauth2.CoreStorage                 = (*unit)(nil)
	_ oauth2.TokenRevocationStorage      = (*unit)(nil)
	_ openid.OpenIDConnectRequestStorage = (*unit)(nil)
	_ pkce.PKCERequestStorage            = (*unit)(nil)
	_ storage.Transactional              = (*unit)(nil)
)

// unit is the unit of work of one request: fosite's storage over rows that
// were read in front. It answers from them and collects what is to be
// written; beginning and ending a transaction only marks.
type unit struct {
	now    time.Time
	site   Site
	hasher ids.Hasher
	client client
	grant  oauth.Grant
	// standing is that of the grant where one is introspected or revoked.
	standing oauth.Standing

	// The rows read in front; zero where the request has none. replayed says
	// that the refresh token was used again after its grace.
	code     oauth.Code
	refresh  oauth.RefreshToken
	replayed bool
	// access is the verified access token of an introspection or revocation.
	access *Claims

	// scopes and expires are those of the access token to be issued,
	// refreshEnds the end of the refresh token.
	scopes      string
	expires     time.Time
	refreshEnds time.Time
	fhirUser    string
	// act and parents are those of a delegated access token.
	act     *oauth.Actor
	parents []Parent

	// What fosite did.
	tokenID   string
	codeHash  string
	writes    Writes
	cause     *errs.Error
	begun     bool
	committed bool
}

// ends gives the end of a kind of token by our clock.
func (u *unit) ends(key fosite.TokenType) time.Time {
	switch key {
	case fosite.AuthorizeCode:
		return u.code.Expires
	case fosite.RefreshToken:
		return u.refreshEnds
	default:
		return u.expires
	}
}

// request shows a stored row to fosite as the request that made it.
func (u *unit) request(id, clientID string, form url.Values) *fosite.Request {
	owner := u.client
	if owner.ID != clientID {
		owner = client{Client: oauth.Client{ID: clientID}}
	}
	r := &fosite.Request{
		ID: id, RequestedAt: u.now, Client: owner, Form: form,
		Session: newSession(u, u.subject()),
	}
	for _, s := range words(u.scopes) {
		r.AppendRequestedScope(s)
		r.GrantScope(s)
	}
	return r
}

// subject gives the sub of the tokens: the person, or the client itself.
func (u *unit) subject() string {
	if u.grant.PersonID != "" {
		return u.grant.PersonID
	}
	return u.client.ID
}

// refuse notes the exact cause of a refusal, for which fosite has a general
// error only.
func (u *unit) refuse(cause *errs.Error, as error) error {
	u.cause = cause
	return as
}

// BeginTX marks the begin of what must be atomic.
func (u *unit) BeginTX(ctx context.Context) (context.Context, error) {
	u.begun = true
	return ctx, nil
}

// Commit marks that fosite finished its writes.
func (u *unit) Commit(context.Context) error {
	u.committed = true
	return nil
}

// Rollback takes back what was collected since BeginTX.
func (u *unit) Rollback(context.Context) error {
	u.writes, u.committed = Writes{}, false
	return nil
}

// GetClient gives the client of the request. Authentication was done before.
func (u *unit) GetClient(_ context.Context, id string) (fosite.Client, error) {
	if id != u.client.ID {
		return nil, fosite.ErrNotFound
	}
	return u.client, nil
}

// ClientAssertionJWTValid is never asked: assertions are judged before fosite.
func (u *unit) ClientAssertionJWTValid(context.Context, string) error { return fosite.ErrJTIKnown }

// SetClientAssertionJWT is never asked, as above.
func (u *unit) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return fosite.ErrJTIKnown
}

// CreateAuthorizeCodeSession notes the hash of the new code.
func (u *unit) CreateAuthorizeCodeSession(_ context.Context, hash string, _ fosite.Requester) error {
	u.codeHash = hash
	return nil
}

// GetAuthorizeCodeSession gives the preloaded code.
func (u *unit) GetAuthorizeCodeSession(_ context.Context, hash string, _ fosite.Session) (fosite.Requester, error) {
	if u.code.Hash == "" || !ids.Equal(hash, u.code.Hash) {
		return nil, u.refuse(errCode("code-unknown", "it is not known"), fosite.ErrNotFound)
	}
	req := u.request(u.grant.ID, u.code.ClientID, url.Values{"redirect_uri": {u.code.RedirectURI}})
	if !u.code.Used.IsZero() {
		return req, u.refuse(errReplayedCode(), fosite.ErrInvalidatedAuthorizeCode)
	}
	return req, nil
}

// InvalidateAuthorizeCodeSession collects the redemption.
func (u *unit) InvalidateAuthorizeCodeSession(_ context.Context, hash string) error {
	u.writes.UseCode = hash
	return nil
}

// CreateAccessTokenSession writes nothing: access tokens have no row (D3).
func (u *unit) CreateAccessTokenSession(context.Context, string, fosite.Requester) error { return nil }

// GetAccessTokenSession gives the verified access token.
func (u *unit) GetAccessTokenSession(_ context.Context, id string, _ fosite.Session) (fosite.Requester, error) {
	if u.access == nil || id == "" || id != u.access.TokenID {
		return nil, fosite.ErrNotFound
	}
	return u.request(accessPrefix+id, u.access.ClientID, url.Values{}), nil
}

// accessPrefix marks the request id of an access token, so that revoking one
// does not end its grant.
const accessPrefix = "access:"

// DeleteAccessTokenSession writes nothing: there is no row.
func (u *unit) DeleteAccessTokenSession(context.Context, string) error { return nil }

// CreateRefreshTokenSession collects the new refresh token.
func (u *unit) CreateRefreshTokenSession(_ context.Context, hash, _ string, _ fosite.Requester) error {
	u.writes.CreateRefresh = &oauth.RefreshToken{
		Tenant: u.site.Tenant, Hash: hash, GrantID: u.grant.ID, ClientID: u.client.ID,
		Issued: u.now, Expires: u.refreshEnds,
	}
	return nil
}

// GetRefreshTokenSession gives the preloaded refresh token.
func (u *unit) GetRefreshTokenSession(_ context.Context, hash string, _ fosite.Session) (fosite.Requester, error) {
	if u.refresh.Hash == "" || !ids.Equal(hash, u.refresh.Hash) {
		return nil, u.refuse(errRefresh("refresh-unknown", "it is not known"), fosite.ErrNotFound)
	}
	req := u.request(u.grant.ID, u.refresh.ClientID, url.Values{})
	if u.replayed {
		return req, u.refuse(errReplayedRefresh(), fosite.ErrInactiveToken)
	}
	return req, nil
}

// DeleteRefreshTokenSession writes nothing: a replayed token dies with its
// grant.
func (u *unit) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RotateRefreshToken collects the rotation.
func (u *unit) RotateRefreshToken(_ context.Context, _ string, hash string) error {
	u.writes.RotateRefresh = hash
	return nil
}

// RevokeRefreshToken collects the end of the grant.
func (u *unit) RevokeRefreshToken(_ context.Context, id string) error {
	if id == "" || id != u.grant.ID {
		return fosite.ErrNotFound
	}
	u.writes.RevokeGrant = id
	return nil
}

// RevokeAccessToken collects the listing of one jti; the access tokens of a
// revoked grant die with it.
func (u *unit) RevokeAccessToken(_ context.Context, id string) error {
	if u.access != nil && id == accessPrefix+u.access.TokenID {
		u.writes.RevokeToken = &RevokedToken{ID: u.access.TokenID, Expires: u.access.Expires}
	}
	return nil
}

// CreateOpenIDConnectSession writes nothing: the code's row holds the nonce.
func (u *unit) CreateOpenIDConnectSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetOpenIDConnectSession gives the preloaded code when openid was granted.
func (u *unit) GetOpenIDConnectSession(_ context.Context, _ string, r fosite.Requester) (fosite.Requester, error) {
	if !r.GetGrantedScopes().Has("openid") {
		return nil, openid.ErrNoSessionFound
	}
	return r, nil
}

// DeleteOpenIDConnectSession writes nothing.
func (u *unit) DeleteOpenIDConnectSession(context.Context, string) error { return nil }

// CreatePKCERequestSession writes nothing: the code's row holds the challenge.
func (u *unit) CreatePKCERequestSession(context.Context, string, fosite.Requester) error { return nil }

// GetPKCERequestSession gives the challenge of the preloaded code.
func (u *unit) GetPKCERequestSession(_ context.Context, hash string, _ fosite.Session) (fosite.Requester, error) {
	if u.code.Hash == "" || !ids.Equal(hash, u.code.Hash) {
		return nil, fosite.ErrNotFound
	}
	return u.request(u.grant.ID, u.code.ClientID, url.Values{
		"code_challenge": {u.code.Challenge}, "code_challenge_method": {"S256"},
	}), nil
}

// DeletePKCERequestSession writes nothing. It is called before the verifier,
// whose form was judged in front, is compared: if that refuses, this is why.
func (u *unit) DeletePKCERequestSession(context.Context, string) error {
	u.cause = errs.New(errs.InvalidGrant, "verifier-mismatch", "code_verifier does not fit the code_challenge.")
	return nil
}
