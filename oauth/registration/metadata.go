package registration

import (
	"encoding/json"
	"slices"

	"github.com/mandate-health/mandate/oauth"
)

// Metadata is what a client may say of itself, under the names of RFC 7591 §2,
// of OpenID Connect Dynamic Client Registration and, for what neither has, of
// Mandate. Its JSON is what a registration request holds.
type Metadata struct {
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	AuthMethod   string   `json:"token_endpoint_auth_method,omitempty"`
	// GrantTypes and ResponseTypes are nil when left out, which means
	// authorization_code and code.
	GrantTypes      []string        `json:"grant_types,omitempty"`
	ResponseTypes   []string        `json:"response_types,omitempty"`
	Name            string          `json:"client_name,omitempty"`
	ClientURI       string          `json:"client_uri,omitempty"`
	LogoURI         string          `json:"logo_uri,omitempty"`
	Scope           string          `json:"scope,omitempty"`
	Contacts        []string        `json:"contacts,omitempty"`
	TosURI          string          `json:"tos_uri,omitempty"`
	PolicyURI       string          `json:"policy_uri,omitempty"`
	JWKSURI         string          `json:"jwks_uri,omitempty"`
	JWKS            json.RawMessage `json:"jwks,omitempty"`
	SoftwareID      string          `json:"software_id,omitempty"`
	SoftwareVersion string          `json:"software_version,omitempty"`
	ApplicationType string          `json:"application_type,omitempty"`
	IDTokenAlg      string          `json:"id_token_signed_response_alg,omitempty"`
	// IntrospectionAlg is that of signed answers about tokens (RFC 9701 §6).
	IntrospectionAlg string `json:"introspection_signed_response_alg,omitempty"`
	// LaunchURIs are where an EHR opens the app (SMART REG-01).
	LaunchURIs     []string `json:"launch_uris,omitempty"`
	AllowedOrigins []string `json:"allowed_origins,omitempty"`
	// PostLogoutRedirectURIs is of OpenID Connect RP-Initiated Logout §3.1.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// BackchannelLogoutURI is of OpenID Connect Back-Channel Logout §2.2. A sid is
	// always sent.
	BackchannelLogoutURI     string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession bool   `json:"backchannel_logout_session_required,omitempty"`
	// Publisher is who makes the app, as people know it.
	Publisher      string            `json:"publisher,omitempty"`
	RequiredScopes map[string]string `json:"required_scopes,omitempty"`
	Authorization
	Certificate
	// DPoPBound is that of RFC 9449 §5.2, DPoPNonce of Mandate.
	DPoPBound bool `json:"dpop_bound_access_tokens,omitempty"`
	DPoPNonce bool `json:"dpop_nonce_required,omitempty"`
}

// Rights are what only an operator gives a client.
type Rights struct {
	Introspect bool `json:"introspect,omitempty"`
	// IntrospectConsents is for a resource server that enforces Consents itself.
	IntrospectConsents bool   `json:"introspect_consents,omitempty"`
	EvaluateAccess     bool   `json:"evaluate_access,omitempty"`
	RegisterLaunch     bool   `json:"register_launch,omitempty"`
	RefreshIDToken     bool   `json:"refresh_id_token,omitempty"`
	AccessTokenFormat  string `json:"access_token_format,omitempty"`
	// AllowedAddresses are networks such as 192.0.2.0/24; see oauth.Client.
	AllowedAddresses []string `json:"allowed_addresses,omitempty"`
	// AppStateCodes and their like are what the app may keep; see oauth.Client.
	AppStateCodes     []string `json:"app_state_codes,omitempty"`
	AppStateReadCodes []string `json:"app_state_read_codes,omitempty"`
	AppStateGlobal    bool     `json:"app_state_global,omitempty"`
	// TokenExchange and MayAct say who may act with whose tokens (RFC 8693).
	TokenExchange bool     `json:"token_exchange,omitempty"`
	MayAct        []string `json:"may_act,omitempty"`
	// DeviceFlow is for devices without keyboard (RFC 8628).
	DeviceFlow bool `json:"device_authorization,omitempty"`
	// PatientGroup bounds a client that acts for itself; see oauth.Client.
	PatientGroup string `json:"patient_group,omitempty"`
	// SecretForItself is unsafe; see oauth.Client.
	SecretForItself bool `json:"client_credentials_by_secret,omitempty"`
	// StepUp is what some of its requests need of a log-in (RFC 9470).
	StepUp []oauth.StepUp `json:"step_up,omitempty"`
}

// Entry is a client as an operator writes it. Kind is short for
// token_endpoint_auth_method and grant_types together; either will do.
type Entry struct {
	// ID may be left out where a client is registered anew.
	ID   string           `json:"client_id,omitempty"`
	Kind oauth.ClientKind `json:"kind,omitempty"`
	Metadata
	Rights
}

// The names of RFC 7591 that are used here.
const (
	methodNone  = "none"
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
	methodKey   = "private_key_jwt"

	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantItself  = "client_credentials"
	// What these two open is asked for by naming them (RFC 8628, RFC 8693).
	grantDevice   = "urn:ietf:params:oauth:grant-type:device_code"
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	respondCode   = "code"

	typeNative = "native"
	typeWeb    = "web"
)

// Of gives what is registered of a client, for its maker and for operators: the
// answer of RFC 7591 §3.2.1, without credentials.
func Of(c oauth.Client) Entry {
	m := Metadata{
		RedirectURIs: c.RedirectURIs, AuthMethod: methodOf(c), GrantTypes: GrantTypes(c),
		Name: c.Name, ClientURI: c.ClientURI, LogoURI: c.LogoURI, Scope: c.Scopes, Contacts: c.Contacts,
		TosURI: c.TosURI, PolicyURI: c.PolicyURI, JWKSURI: c.JWKSURI, JWKS: c.JWKS,
		SoftwareID: c.SoftwareID, SoftwareVersion: c.SoftwareVersion, ApplicationType: c.ApplicationType,
		IntrospectionAlg: c.IntrospectionAlg,
		IDTokenAlg:       c.IDTokenAlg, LaunchURIs: c.LaunchURIs, AllowedOrigins: c.AllowedOrigins,
		Publisher: c.Publisher, RequiredScopes: c.RequiredScopes,
		PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, BackchannelLogoutURI: c.BackchannelLogoutURI,
		Authorization: authorizationOf(c),
		DPoPBound:     c.DPoPBound, DPoPNonce: c.DPoPNonce,
		Certificate: certificateOf(c),
	}
	if slices.Contains(m.GrantTypes, grantCode) {
		m.ResponseTypes = []string{respondCode}
	}
	return Entry{ID: c.ID, Kind: c.Kind, Metadata: m, Rights: Rights{
		Introspect: c.Introspect, IntrospectConsents: c.IntrospectConsents, EvaluateAccess: c.EvaluateAccess, RegisterLaunch: c.RegisterLaunch, RefreshIDToken: c.RefreshIDToken,
		AccessTokenFormat: c.AccessTokenFormat, AllowedAddresses: c.AllowedAddresses, SecretForItself: c.SecretForItself, StepUp: c.StepUp,
		AppStateCodes: c.AppStateCodes, AppStateReadCodes: c.AppStateReadCodes, AppStateGlobal: c.AppStateGlobal,
		TokenExchange: c.TokenExchange, MayAct: c.MayAct, DeviceFlow: c.DeviceFlow,
		PatientGroup: c.PatientGroup,
	}}
}

// GrantTypes gives the grant types that a client may use. Whether a refresh
// token comes is decided by each grant.
func GrantTypes(c oauth.Client) []string {
	var out []string
	switch {
	case c.ForItself():
		out = []string{grantItself}
	case len(c.RedirectURIs) > 0 || !c.DeviceFlow && !c.TokenExchange:
		out = []string{grantCode, grantRefresh}
	case c.DeviceFlow:
		out = []string{grantRefresh}
	}
	if c.DeviceFlow {
		out = append(out, grantDevice)
	}
	if c.TokenExchange {
		out = append(out, grantExchange)
	}
	return out
}

func methodOf(c oauth.Client) string {
	switch {
	case c.ByCertificate():
		return c.AuthMethod
	case c.Kind == oauth.ClientPublic:
		return methodNone
	case c.Kind != oauth.ClientSymmetric:
		return methodKey
	case c.AuthMethod == methodPost:
		return methodPost
	}
	return methodBasic
}

// ForItself reports whether the entry describes a client that acts for itself.
func (e Entry) ForItself() bool {
	return e.Kind == oauth.ClientBackend || e.SecretForItself || slices.Contains(e.GrantTypes, grantItself)
}

// ofKind completes the metadata of an entry that names its kind; conflict is
// set where the two say different things.
func (e Entry) ofKind() (m Metadata, conflict bool) {
	m = e.Metadata
	say := func(method string, alone bool) {
		if m.AuthMethod == "" {
			m.AuthMethod = method
		}
		// A certificate is a key as well: kind says who the client acts for.
		byKey := method == methodKey && (m.AuthMethod == oauth.MethodTLS || m.AuthMethod == oauth.MethodTLSOfSelf)
		conflict = m.AuthMethod != method && !byKey && (method != methodBasic || m.AuthMethod != methodPost)
		if alone && m.GrantTypes == nil {
			m.GrantTypes = []string{grantItself}
		}
		conflict = conflict || alone != slices.Contains(m.GrantTypes, grantItself)
	}
	switch e.Kind {
	case oauth.ClientPublic:
		say(methodNone, false)
	case oauth.ClientSymmetric:
		say(methodBasic, e.SecretForItself)
	case oauth.ClientAsymmetric:
		say(methodKey, false)
	case oauth.ClientBackend:
		say(methodKey, true)
	}
	return m, conflict
}
