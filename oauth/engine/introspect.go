package engine

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// IntrospectInput is an introspection request of an authenticated client.
type IntrospectInput struct {
	Site      Site
	Caller    oauth.Client
	Token     string
	Network   string
	RequestID string
}

// Introspection is the answer of RFC 7662 §2.2 with SMART's context. An
// inactive one has no other member than active (SMART INT-07).
type Introspection struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	// Expires and Issued are seconds since the epoch.
	Expires  int64  `json:"exp,omitempty"`
	Issued   int64  `json:"iat,omitempty"`
	Subject  string `json:"sub,omitempty"`
	Audience string `json:"aud,omitempty"`
	Issuer   string `json:"iss,omitempty"`
	FHIRUser string `json:"fhirUser,omitempty"`
	// ACR and AuthTime, in seconds since the epoch, are of the log-in (RFC 9470
	// §6.2).
	ACR      string `json:"acr,omitempty"`
	AuthTime int64  `json:"auth_time,omitempty"`
	// Act is who acts with a token that was handed on (RFC 8693 §4.1).
	Act *oauth.Actor `json:"act,omitempty"`
	// Confirmation is the key to which the token is bound (RFC 9449 §6.2).
	Confirmation oauth.Confirmation `json:"cnf,omitzero"`
	// Proxy says what a proxy's access rests on, Extensions the same and who asks
	// as others name it (SC-13, UDP-31).
	Proxy      *oauth.ProxyClaim `json:"https://mandate.example/fhir/claims/proxy,omitempty"`
	Extensions *oauth.Extensions `json:"extensions,omitempty"`
	// Demo says that a demonstration issued it (TR-51).
	Demo bool `json:"https://mandate.example/fhir/claims/demo,omitempty"`
	oauth.Context
}

// Introspect tells a client about a token: with the right, about any client's
// (INT-09), otherwise about its own only (INT-10). Both kinds of token are tried
// whatever token_type_hint says. What it tells is the state of now, proxies
// decided anew. The event is durable before it returns.
// Errors: errs.RateLimited; errs.Unavailable.
func (e *Engine) Introspect(ctx context.Context, in IntrospectInput) (Introspection, error) {
	u, err := e.load(ctx, in.Site, in.Caller, in.Token, false)
	if err != nil {
		return Introspection{}, err
	}
	if err := e.AdmitPerson(ctx, u.grant); err != nil {
		return Introspection{}, err
	}
	out := Introspection{}
	if u.access != nil || u.refresh.Hash != "" && u.now.Before(u.refresh.Expires) {
		if out, err = e.describe(ctx, u, in.Caller); err != nil {
			return Introspection{}, err
		}
	}
	event := u.event(audit.TokenIntrospected, in.Caller.ID, in.Network, in.RequestID)
	if u.decision != "" {
		event.ID, event.Consents = u.decision, u.decided
	}
	if !out.Active {
		event.Outcome, event.Reason = audit.MinorFailure, "token-inactive"
	}
	if err := e.Recorder.Record(ctx, event); err != nil {
		return Introspection{}, errs.Wrap(err, errs.Unavailable, "audit-unavailable", "The request cannot be recorded at the moment.")
	}
	return out, nil
}

// load makes a unit of work with what a token stands for, as far as the
// caller may know it; an unknown, foreign or dead token leaves it empty.
// rotated says that a refresh token which has a successor counts too.
func (e *Engine) load(ctx context.Context, site Site, caller oauth.Client, token string, rotated bool) (*unit, error) {
	hasher, err := e.Ring.Hasher(ctx, site.Tenant)
	if err != nil {
		return nil, err
	}
	u := &unit{now: e.Clock.Now(), site: site, hasher: hasher}
	may := func(clientID string) bool { return caller.Introspect || clientID == caller.ID }
	claims, err := e.Verifier.VerifyAccessToken(ctx, site.Tenant, token)
	switch {
	case err == nil && may(claims.ClientID):
		u.access, u.standing, u.scopes, u.expires = &claims, claims.standing, claims.Scope, claims.Expires
		u.grant = claims.Grant
		return u, nil
	case err != nil && !errs.Is(err, errs.Unauthenticated):
		return nil, err
	case err == nil:
		return u, nil
	}
	row, st, err := e.refresh(ctx, site.Tenant, ReadRefresh(hasher, token))
	if err != nil || row.Hash == "" || !may(row.ClientID) || !rotated && !row.Rotated.IsZero() {
		return u, err
	}
	g := st.Grant
	u.refresh, u.standing, u.grant, u.scopes, u.expires, u.refreshEnds = row, &st, g, g.Scopes, g.Ends, g.Ends
	return u, nil
}

// refresh gives a refresh token whose client, grant and, where it needs one,
// log-in session stand; a zero row when there is none.
func (e *Engine) refresh(ctx context.Context, tenant string, ref oauth.RefreshRef) (oauth.RefreshToken, oauth.Standing, error) {
	row, st, err := e.Reader.RefreshStanding(ctx, tenant, ref)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return oauth.RefreshToken{}, oauth.Standing{}, err
	}
	now := e.Clock.Now()
	gone := err != nil || st.Client.ID == "" || st.Client.Disabled || stands(st, now) != nil
	if gone {
		return oauth.RefreshToken{}, oauth.Standing{}, nil
	}
	return row, st, nil
}

// describe fills the answer about an active token. A proxy's token is decided
// anew, so that it is inactive as soon as the consent is (SMART REF-10).
func (e *Engine) describe(ctx context.Context, u *unit, caller oauth.Client) (Introspection, error) {
	if u.grant.ID != "" && u.grant.Capacity.IsProxy() {
		d, err := e.Redecider.Redecide(ctx, *u.standing, u.scopes)
		over := err == nil && (d.Scopes == "" || !d.ValidUntil.IsZero() && !u.now.Before(d.ValidUntil))
		if over || errs.Is(err, errs.AccessDenied) || errs.Is(err, errs.InvalidScope) {
			return Introspection{}, nil
		}
		if err != nil {
			return Introspection{}, err
		}
		u.scopes = d.Scopes
		if err := e.tell(ctx, u, d, caller); err != nil {
			return Introspection{}, err
		}
	}
	out := Introspection{
		Active: true, Scope: u.scopes, Expires: u.expires.Unix(),
		Issuer: u.site.Issuer, Audience: u.site.FHIRBase, Context: u.grant.Context, Demo: u.site.Demo,
	}
	if !u.grant.AuthTime.IsZero() {
		out.ACR, out.AuthTime = u.grant.ACR, u.grant.AuthTime.Unix()
	}
	if u.access != nil {
		out.Issued, out.Act = u.access.Issued.Unix(), u.access.Act
		out.ClientID, out.Subject, out.TokenType = u.access.ClientID, u.access.Subject, u.access.Confirmation.TokenType()
		out.Confirmation = u.access.Confirmation
		if u.access.B2B != nil {
			out.Extensions = &oauth.Extensions{B2B: u.access.B2B}
		}
	} else {
		out.ClientID, out.Subject, out.Issued = u.refresh.ClientID, u.grant.PersonID, u.refresh.Issued.Unix()
		out.Confirmation = u.refresh.Confirmation
	}
	if u.told.Proxy != nil {
		out.Proxy, out.Extensions = u.told.Proxy, &oauth.Extensions{IUA: u.told.IUA, PCF: u.told.PCF}
	}
	if slices.Contains(words(u.scopes), "openid") {
		out.FHIRUser = fhirUser(u.site, u)
	}
	return out, nil
}

// event says who asked about which token.
func (u *unit) event(kind audit.Kind, callerID, network, requestID string) audit.Event {
	ev := audit.Event{
		Tenant: u.site.Tenant, Time: u.now, Kind: kind, Action: "E", Outcome: audit.Success,
		PersonID: u.grant.PersonID, Capacity: u.grant.Capacity, ClientID: callerID,
		Patient: u.grant.Record(), GrantID: u.grant.ID, Consents: u.grant.Basis(),
		Network: network, RequestID: requestID,
	}
	if u.access != nil {
		ev.TokenID, ev.Detail = u.access.TokenID, u.access.Acted()
	}
	return ev
}
