package engine

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"

	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

// Header types of the tokens.
const (
	typAccess = "at+jwt" // RFC 9068 §2.1
	typID     = "JWT"
)

// accessClaims are the claims of an access token (RFC 9068 §2.2). The launch
// context belongs to the grant; only patient is repeated here. Grant is
// absent for client_credentials. Epoch is the client's, by which its tokens
// die together.
type accessClaims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Subject  string `json:"sub"`
	ClientID string `json:"client_id"`
	Issued   int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	ID       string `json:"jti"`
	Scope    string `json:"scope"`
	Patient  string `json:"patient,omitempty"`
	Grant    string `json:"grant,omitempty"`
	Epoch    int64  `json:"epoch"`
	// ACR and AuthTime are of the person's log-in (RFC 9068 §2.2.1).
	ACR      string `json:"acr,omitempty"`
	AuthTime int64  `json:"auth_time,omitempty"`
	// Act and Parents are there in delegated tokens only.
	Act     *oauth.Actor `json:"act,omitempty"`
	Parents []Parent     `json:"parents,omitempty"`
	// B2B is in whose name and for what purpose a service asked (UDP-31).
	B2B *oauth.B2B `json:"hl7-b2b,omitempty"`
	// Proxy and Extensions are there in a proxy's tokens only (SC-13).
	Proxy      *oauth.ProxyClaim `json:"https://mandate.example/fhir/claims/proxy,omitempty"`
	Extensions *oauth.Extensions `json:"extensions,omitempty"`
	// Confirmation is the key to which the token is bound.
	Confirmation oauth.Confirmation `json:"cnf,omitzero"`
	// Demo says that a demonstration issued it (TR-51).
	Demo bool `json:"https://mandate.example/fhir/claims/demo,omitempty"`
}

// issue signs a JWT access token (RFC 9068), or seals a handle for a client
// that asked for opaque ones (D2). No row is written for either (D3).
func (e *Engine) issue(ctx context.Context, u *unit) (out Issued, err error) {
	out.TokenID = e.IDs.ID()
	claims := accessClaims{
		Issuer: u.site.Issuer, Audience: u.site.FHIRBase, Subject: u.subject(), ClientID: u.client.ID,
		Issued: second(u.now).Unix(), Expires: u.expires.Unix(), ID: out.TokenID, Scope: u.scopes,
		Patient: u.grant.Context.Patient, Grant: u.grant.ID, Epoch: u.client.Epoch,
		Act: u.act, Parents: u.parents, Confirmation: u.confirmation, B2B: u.b2b, Demo: u.site.Demo,
	}
	if u.told.Proxy != nil {
		claims.Proxy, claims.Extensions = u.told.Proxy, &oauth.Extensions{IUA: u.told.IUA, PCF: u.told.PCF}
	}
	if !u.grant.AuthTime.IsZero() {
		claims.ACR, claims.AuthTime = u.grant.ACR, u.grant.AuthTime.Unix()
	}
	if u.client.AccessTokenFormat == oauth.FormatOpaque {
		out.AccessToken, err = e.Ring.SealHandle(ctx, u.site.Tenant, bound(u.site), claims)
	} else {
		out.AccessToken, err = e.Ring.Sign(ctx, u.site.Tenant, keys.UseAccessToken, typAccess, claims)
	}
	return out, err
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
	// Demo says that a demonstration issued it (TR-51).
	Demo bool `json:"https://mandate.example/fhir/claims/demo,omitempty"`
}

// idToken signs the id_token from the grant and the code.
func (e *Engine) idToken(ctx context.Context, u *unit, accessToken string) (string, error) {
	claims := idClaims{
		Issuer: u.site.Issuer, Subject: u.subject(), Audience: u.client.ID,
		Expires: u.expires.Unix(), Issued: second(u.now).Unix(),
		Nonce: u.code.Nonce, ACR: u.grant.ACR, AMR: u.grant.AMR,
		ATHash: accessTokenHash(accessToken), FHIRUser: fhirUser(u.site, u), Demo: u.site.Demo,
	}
	if !u.grant.AuthTime.IsZero() {
		claims.AuthTime = u.grant.AuthTime.Unix()
	}
	if u.client.BackchannelLogoutURI != "" {
		claims.SessionID = oauth.SessionID(u.grant.SessionHash)
	}
	return e.Ring.Sign(ctx, u.site.Tenant, signingUse(u.client.IDTokenAlg), typID, claims)
}

// accessTokenHash gives the at_hash of a token for the algorithms with SHA-256,
// which all of ours are (OIDC Core §3.1.3.6).
func accessTokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// fhirUser gives the absolute URL of the acting person's resource when
// fhirUser is among the scopes (SMART OID-04, OID-08).
func fhirUser(site Site, u *unit) string {
	if u.grant.Capacity.Acting.IsZero() || !slices.Contains(words(u.scopes), "fhirUser") {
		return ""
	}
	return site.FHIRBase + "/" + u.grant.Capacity.Acting.String()
}
