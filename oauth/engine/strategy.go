package engine

import (
	"context"
	"encoding/base64"
	"slices"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"

	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

// The purposes under which codes and refresh tokens are hashed.
const (
	purposeCode    = "code"
	purposeRefresh = "refresh"
)

// Header types of the tokens.
const (
	typAccess = "at+jwt" // RFC 9068 §2.1
	typID     = "JWT"
)

var (
	_ oauth2.CoreStrategy               = (*strategy)(nil)
	_ openid.OpenIDConnectTokenStrategy = (*strategy)(nil)
)

// strategy makes and checks tokens for fosite: codes and refresh tokens are
// 256 random bits known to us by their keyed hash, access tokens and
// id_tokens are signed by the ring, opaque access tokens sealed by it.
type strategy struct {
	engine *Engine
	unit   *unit
}

// CodeHash gives the form in which an authorization code is stored.
func CodeHash(h ids.Hasher, code string) string { return h.Hash(purposeCode, code) }

// RefreshHash gives the form in which a refresh token is stored.
func RefreshHash(h ids.Hasher, token string) string { return h.Hash(purposeRefresh, token) }

// Successor gives the refresh token that follows the presented one in its
// family, the grant, when it is rotated at a time. It is derived and not random,
// so that a retry gets the same one although nothing readable was stored (D2),
// also when the hash key was replaced since.
func Successor(h ids.Hasher, grantID, presented string, rotated time.Time) string {
	h = h.At(rotated)
	family := ids.Hasher{Key: h.Sum("refresh-family", grantID)}
	return h.Mark() + base64.RawURLEncoding.EncodeToString(family.Sum("refresh-successor", presented))
}

// AuthorizeCodeSignature gives the stored form of a code.
func (s *strategy) AuthorizeCodeSignature(_ context.Context, code string) string {
	return CodeHash(s.unit.hasher, code)
}

// GenerateAuthorizeCode makes a code at random.
func (s *strategy) GenerateAuthorizeCode(context.Context, fosite.Requester) (string, string, error) {
	code := s.unit.hasher.Secret(s.engine.IDs)
	return code, CodeHash(s.unit.hasher, code), nil
}

// ValidateAuthorizeCode judges the life of the code by our clock (SMART
// AZ-15).
func (s *strategy) ValidateAuthorizeCode(context.Context, fosite.Requester, string) error {
	if !s.unit.now.Before(s.unit.code.Expires) {
		return s.unit.refuse(errCode("code-expired", "it has expired"), fosite.ErrTokenExpired)
	}
	return nil
}

// RefreshTokenSignature gives the stored form of a refresh token.
func (s *strategy) RefreshTokenSignature(_ context.Context, token string) string {
	return RefreshHash(s.unit.hasher, token)
}

// GenerateRefreshToken makes the first of a family at random, each next one
// from the one presented.
func (s *strategy) GenerateRefreshToken(_ context.Context, r fosite.Requester) (string, string, error) {
	token := s.unit.hasher.Secret(s.engine.IDs)
	if presented := r.GetRequestForm().Get("refresh_token"); presented != "" {
		rotated := s.unit.refresh.Rotated
		if rotated.IsZero() {
			rotated = s.unit.now
		}
		token = Successor(s.unit.hasher, s.unit.grant.ID, presented, rotated)
	}
	return token, RefreshHash(s.unit.hasher, token), nil
}

// ValidateRefreshToken judges the life of the token by our clock.
func (s *strategy) ValidateRefreshToken(context.Context, fosite.Requester, string) error {
	if !s.unit.now.Before(s.unit.refresh.Expires) {
		return s.unit.refuse(errRefresh("refresh-expired", "it has expired"), fosite.ErrTokenExpired)
	}
	return nil
}

// AccessTokenSignature gives the jti of the verified access token at hand,
// nothing for any other text.
func (s *strategy) AccessTokenSignature(_ context.Context, token string) string {
	if a := s.unit.access; a != nil && a.raw == token {
		return a.TokenID
	}
	return ""
}

// ValidateAccessToken accepts what Verifier accepted.
func (s *strategy) ValidateAccessToken(_ context.Context, _ fosite.Requester, token string) error {
	if a := s.unit.access; a == nil || a.raw != token {
		return fosite.ErrInvalidTokenFormat
	}
	return nil
}

// GenerateAccessToken signs a JWT access token (RFC 9068), or seals a handle for
// a client that asked for opaque ones (D2). Its signature, in fosite's sense,
// is the jti.
func (s *strategy) GenerateAccessToken(ctx context.Context, _ fosite.Requester) (string, string, error) {
	u := s.unit
	u.tokenID = s.engine.IDs.ID()
	claims := accessClaims{
		Issuer: u.site.Issuer, Audience: u.site.FHIRBase, Subject: u.subject(), ClientID: u.client.ID,
		Issued: second(u.now).Unix(), Expires: u.expires.Unix(), ID: u.tokenID, Scope: u.scopes,
		Patient: u.grant.Context.Patient, Grant: u.grant.ID, Epoch: u.client.Epoch,
		Act: u.act, Parents: u.parents,
	}
	if !u.grant.AuthTime.IsZero() {
		claims.ACR, claims.AuthTime = u.grant.ACR, u.grant.AuthTime.Unix()
	}
	if u.client.AccessTokenFormat == oauth.FormatOpaque {
		token, err := s.engine.Ring.SealHandle(ctx, u.site.Tenant, bound(u.site), claims)
		return token, u.tokenID, err
	}
	token, err := s.engine.Ring.Sign(ctx, u.site.Tenant, keys.UseAccessToken, typAccess, claims)
	return token, u.tokenID, err
}

// bound is what a handle is bound to beside its tenant's key: it opens for one
// issuer and one FHIR base only.
func bound(site Site) string { return site.Tenant + "\x00" + site.Issuer + "\x00" + site.FHIRBase }

// idClaims are the claims of an id_token (SMART OID-04, OID-09).
type idClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	AuthTime int64    `json:"auth_time,omitempty"`
	Nonce    string   `json:"nonce,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	ATHash   string   `json:"at_hash,omitempty"`
	FHIRUser string   `json:"fhirUser,omitempty"`
	// SessionID is for clients that want to be told of its end.
	SessionID string `json:"sid,omitempty"`
}

// GenerateIDToken signs the id_token from the grant and the code.
func (s *strategy) GenerateIDToken(ctx context.Context, _ time.Duration, r fosite.Requester) (string, error) {
	atHash := ""
	if sess, ok := r.GetSession().(*session); ok {
		atHash = sess.claims.AccessTokenHash
	}
	return s.idToken(ctx, atHash)
}

// idToken signs it with the hash of the access token beside which it goes out.
func (s *strategy) idToken(ctx context.Context, atHash string) (string, error) {
	u := s.unit
	claims := idClaims{
		Issuer: u.site.Issuer, Subject: u.subject(), Audience: u.client.ID,
		Expires: u.expires.Unix(), Issued: second(u.now).Unix(),
		Nonce: u.code.Nonce, ACR: u.grant.ACR, AMR: u.grant.AMR, FHIRUser: u.fhirUser,
		ATHash: atHash,
	}
	if !u.grant.AuthTime.IsZero() {
		claims.AuthTime = u.grant.AuthTime.Unix()
	}
	if u.client.BackchannelLogoutURI != "" {
		claims.SessionID = oauth.SessionID(u.grant.SessionHash)
	}
	return s.engine.Ring.Sign(ctx, u.site.Tenant, useOfIDToken(u.client.Client), typID, claims)
}

// fhirUser gives the absolute URL of the acting person's resource when
// fhirUser is among the scopes (SMART OID-04, OID-08).
func fhirUser(site Site, u *unit) string {
	if u.grant.Capacity.Acting.IsZero() || !slices.Contains(words(u.scopes), "fhirUser") {
		return ""
	}
	return site.FHIRBase + "/" + u.grant.Capacity.Acting.String()
}
