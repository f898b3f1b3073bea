package oauth

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// ClientKind says how a client proves itself at the token endpoint.
type ClientKind string

// The kinds of client (SMART CAP-04…06).
const (
	// ClientPublic has no credential.
	ClientPublic ClientKind = "public"
	// ClientSymmetric has a secret (client_secret_basic or _post).
	ClientSymmetric ClientKind = "symmetric"
	// ClientAsymmetric has registered keys (private_key_jwt).
	ClientAsymmetric ClientKind = "asymmetric"
	// ClientBackend has registered keys and acts for itself (SMART Backend
	// Services).
	ClientBackend ClientKind = "backend"
)

// Client is a registered application.
type Client struct {
	Tenant string     `json:"-"`
	ID     string     `json:"client_id"`
	Kind   ClientKind `json:"kind"`
	// Name and Publisher are shown on the consent page.
	Name      string `json:"client_name"`
	Publisher string `json:"publisher,omitempty"`
	LogoURI   string `json:"logo_uri,omitempty"`
	PolicyURI string `json:"policy_uri,omitempty"`
	// ClientURI, TosURI, Contacts, SoftwareID and SoftwareVersion are what else
	// the maker says of the app (RFC 7591 §2).
	ClientURI       string   `json:"client_uri,omitempty"`
	TosURI          string   `json:"tos_uri,omitempty"`
	Contacts        []string `json:"contacts,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`
	// ApplicationType is native or web, empty when nothing was said.
	ApplicationType string `json:"application_type,omitempty"`
	// AuthMethod is the token_endpoint_auth_method that was registered, for its
	// maker to read; what is asked follows from Kind, and from ByCertificate.
	AuthMethod string `json:"token_endpoint_auth_method,omitempty"`
	// Verified is when the organisation checked the app; zero means never.
	Verified time.Time `json:"verified,omitzero"`
	// SecretHashes are keyed hashes; two are valid during rotation.
	SecretHashes []string `json:"secret_hashes,omitempty"`
	// JWKS is an inline key set, JWKSURI the place of one; at most one is set.
	JWKS    json.RawMessage `json:"jwks,omitempty"`
	JWKSURI string          `json:"jwks_uri,omitempty"`
	// RedirectURIs and LaunchURIs are complete and compared exactly
	// (SMART REG-01, AZ-04).
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	LaunchURIs   []string `json:"launch_uris,omitempty"`
	// PostLogoutRedirectURIs are where a browser may go after it was signed out at
	// the app's wish; complete and compared exactly.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// BackchannelLogoutURI is where the app is told that a session ended.
	BackchannelLogoutURI string `json:"backchannel_logout_uri,omitempty"`
	// Scopes is the ceiling: nothing outside it is ever granted.
	Scopes string `json:"scopes"`
	// AllowedOrigins are the CORS origins; empty means those of the redirect
	// URIs.
	AllowedOrigins []string `json:"allowed_origins,omitempty"`
	// Introspect lets the client introspect tokens of any client (INT-09).
	Introspect bool `json:"introspect,omitempty"`
	// IntrospectConsents lets a resource server that introspects know under which
	// Consents a proxy's token stands, what they withhold and who asks, to enforce
	// them by itself (SC-13).
	IntrospectConsents bool `json:"introspect_consents,omitempty"`
	// EvaluateAccess lets a resource server ask what a token or a grant opens
	// (AuthZEN Authorization API 1.0).
	EvaluateAccess bool `json:"evaluate_access,omitempty"`
	// RegisterLaunch lets an EHR client register launch contexts.
	RegisterLaunch bool `json:"register_launch,omitempty"`
	// RefreshIDToken asks for an id_token with each refresh (D2).
	RefreshIDToken bool `json:"refresh_id_token,omitempty"`
	// IDTokenAlg is ES256 for a client that asked for it, and RS256 when empty
	// (D2).
	IDTokenAlg string `json:"id_token_signed_response_alg,omitempty"`
	// IntrospectionAlg is with which algorithm answers about tokens are signed that
	// the client asks for signed: ES256, or RS256 when empty (RFC 9701 §6).
	IntrospectionAlg string `json:"introspection_signed_response_alg,omitempty"`
	// AccessTokenFormat is opaque for a client whose access tokens are to say
	// nothing to who reads them; jwt or empty otherwise (D2).
	AccessTokenFormat string `json:"access_token_format,omitempty"`
	// AppStateCodes are the state codes ("system|code") that the app may read and
	// change, AppStateReadCodes those that it may only read (APS-08).
	// AppStateGlobal lets it change state that is about nobody.
	AppStateCodes     []string `json:"app_state_codes,omitempty"`
	AppStateReadCodes []string `json:"app_state_read_codes,omitempty"`
	AppStateGlobal    bool     `json:"app_state_global,omitempty"`
	// DPoPBound wants a DPoP proof with every token request; without it the
	// client may still send one. DPoPNonce wants a nonce of this server in each
	// of the client's proofs (RFC 9449 §5.2, §8).
	DPoPBound bool `json:"dpop_bound_access_tokens,omitempty"`
	DPoPNonce bool `json:"dpop_nonce_required,omitempty"`
	// PatientGroup is the id of the FHIR Group to whose members a client that acts
	// for itself is bound, in exports and in every other request; empty for none
	// (SMART TRP-26, BLK-07).
	PatientGroup string `json:"patient_group,omitempty"`
	// SecurityProfile is the profile to which the registration is held, empty for
	// none: see ProfileFAPI2.
	SecurityProfile string `json:"security_profile,omitempty"`
	// CertificateBound wants a TLS client certificate with every token request,
	// to which the tokens are bound (RFC 8705 §3.4).
	CertificateBound bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	// The one name by which the certificate of a client that authenticates by
	// tls_client_auth is known (RFC 8705 §2.1.2).
	TLSSubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSDNS       string `json:"tls_client_auth_san_dns,omitempty"`
	TLSURI       string `json:"tls_client_auth_san_uri,omitempty"`
	TLSIP        string `json:"tls_client_auth_san_ip,omitempty"`
	TLSEmail     string `json:"tls_client_auth_san_email,omitempty"`
	// SecretForItself lets a symmetric client act for itself with its secret. It
	// is unsafe beside keys: SMART Backend Services forbid it (SYM-02), and it is
	// for a client that cannot hold a key.
	SecretForItself bool `json:"client_credentials_by_secret,omitempty"`
	// AuthAlg is the one algorithm of the client's assertions; empty means RS384
	// or ES384, as SMART has it (D2).
	AuthAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`
	// RequirePushed says that authorization requests must be pushed (RFC 9126
	// §6).
	RequirePushed bool `json:"require_pushed_authorization_requests,omitempty"`
	// RequireSigned says that authorization requests must come as signed request
	// objects (RFC 9101 §10.5), RequestObjectAlg with which algorithm; empty
	// means any that is safe.
	RequireSigned    bool   `json:"require_signed_request_object,omitempty"`
	RequestObjectAlg string `json:"request_object_signing_alg,omitempty"`
	// TokenExchange lets the client act for people with tokens that other clients
	// hand to it (RFC 8693); those name it in their MayAct.
	TokenExchange bool `json:"token_exchange,omitempty"`
	// MayAct are the clients that may act with this client's tokens.
	MayAct []string `json:"may_act,omitempty"`
	// DeviceFlow lets a device without keyboard ask people in by a code that they
	// type elsewhere (RFC 8628).
	DeviceFlow bool `json:"device_authorization,omitempty"`
	// DefaultMaxAge and DefaultACR stand in for max_age (seconds) and acr_values
	// that a request leaves out (OIDC Dynamic Client Registration §2); StepUp
	// are the requests to the FHIR base that need more than others.
	DefaultMaxAge int64    `json:"default_max_age,omitempty"`
	DefaultACR    []string `json:"default_acr_values,omitempty"`
	StepUp        []StepUp `json:"step_up,omitempty"`
	// DetailsTypes are the types of authorization_details that its token answers
	// carry (RFC 9396 §10): DetailsSMART or none.
	DetailsTypes []string `json:"authorization_details_types,omitempty"`
	// RequiredScopes are those the app cannot work without, with the reason
	// its maker gave.
	RequiredScopes map[string]string `json:"required_scopes,omitempty"`
	// AllowedAddresses are the networks (CIDR) from which the client may call the
	// server itself; empty means any. Browsers of people are not bound by it.
	AllowedAddresses []string `json:"allowed_addresses,omitempty"`
	// UDAP is the trust in a client that is known by its certificate, nil for any
	// other.
	UDAP *UDAP `json:"udap,omitempty"`
	// GrantsFrom ends every grant that was made before it.
	GrantsFrom time.Time `json:"grants_from,omitzero"`
	// Disabled clients get nothing.
	Disabled bool `json:"disabled,omitempty"`
	// Deleted is when the client was deleted; the row stays, disabled, so that
	// its id is never given again and its past still has a name.
	Deleted time.Time `json:"deleted,omitzero"`
	// Registration says how the client came to be here.
	Registration Registration `json:"registration,omitzero"`
	// Epoch grows when the client's tokens must die.
	Epoch   int64     `json:"-"`
	Created time.Time `json:"created,omitzero"`
}

// Registration is the history of a client's registration. Its zero value is that
// of a client which an operator registered.
type Registration struct {
	// By is how it was registered: RegisteredDynamically, RegisteredByUDAP,
	// RegisteredByDocument, or
	// empty for an operator.
	By string `json:"by,omitempty"`
	// TokenHash is the keyed hash of the registration access token (RFC 7592).
	TokenHash string `json:"token_hash,omitempty"`
	// Pending is set while the client waits for an operator's approval.
	Pending bool `json:"pending,omitempty"`
	// Asked is when the registration was asked for, Authentic when the
	// authenticity of its maker was verified, Approved when the client could
	// first be used: the ends of the clocks of REG-08.
	Asked     time.Time `json:"asked,omitzero"`
	Authentic time.Time `json:"authentic,omitzero"`
	Approved  time.Time `json:"approved,omitzero"`
	// Why is the stable reason of the last disabling, such as client-disabled.
	Why string `json:"why,omitempty"`
	// Idle is since when the client is marked as one that nobody uses, Enabled when
	// it was last enabled.
	Idle    time.Time `json:"idle,omitzero"`
	Enabled time.Time `json:"enabled,omitzero"`
}

// The values of Registration.By.
const (
	RegisteredDynamically = "dynamic"
	RegisteredByUDAP      = "udap"
	// RegisteredByDocument is of clients whose client_id is the address of a
	// document that describes them.
	RegisteredByDocument = "document"
)

// The values of AccessTokenFormat.
const (
	FormatJWT    = "jwt"
	FormatOpaque = "opaque"
)

// DetailsSMART is the type of the authorization_details of SMART App Launch 2.2
// (TOK-15).
const DetailsSMART = "smart_on_fhir"

// RequestObjectAlgorithms gives the signature algorithms of request objects.
// The last one, RS256, serves only a client that is registered for it.
func RequestObjectAlgorithms() []string { return []string{"PS256", "ES256", "RS384", "ES384", "RS256"} }

// AssertionAlgorithms gives the values of AuthAlg. PS256 and ES256 are those of
// FAPI 2.0.
func AssertionAlgorithms() []string { return []string{"RS384", "ES384", "PS256", "ES256"} }

// Signs reports whether the client's assertions may be signed with an algorithm.
func (c Client) Signs(alg string) bool {
	return slices.Contains(c.AssertionAlgorithms(), alg)
}

// The ways of authentication by a TLS client certificate (RFC 8705 §2): one from
// an authority that is trusted here, or one that the client registered.
const (
	MethodTLS       = "tls_client_auth"
	MethodTLSOfSelf = "self_signed_tls_client_auth"
)

// ByCertificate reports whether the client proves itself by a TLS client
// certificate, and by nothing else.
func (c Client) ByCertificate() bool {
	return c.AuthMethod == MethodTLS || c.AuthMethod == MethodTLSOfSelf
}

// ForItself reports whether the client may act for itself.
func (c Client) ForItself() bool {
	return c.Kind == ClientBackend || c.Kind == ClientSymmetric && c.SecretForItself
}

// CallsFrom reports whether the client may call from the address. One that is
// not known is refused to a client that is bound to addresses.
func (c Client) CallsFrom(address string) bool {
	if len(c.AllowedAddresses) == 0 {
		return true
	}
	ip, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(c.AllowedAddresses, func(text string) bool {
		network, err := netip.ParsePrefix(text)
		return err == nil && network.Contains(ip.Unmap().WithZone(""))
	})
}

// Lost reports whether a grant is one of those that the client lost together.
func (c Client) Lost(g Grant) bool { return g.Created.Before(c.GrantsFrom) }

// Confidential reports whether the client has a credential that it must use
// (SMART SYM-04).
func (c Client) Confidential() bool { return c.Kind != ClientPublic }

// RunsAt reports whether a browser may call from the origin for this client.
func (c Client) RunsAt(origin string) bool {
	return !c.Disabled && slices.Contains(c.Origins(), origin)
}

// Origins gives the origins from which a browser may call the token endpoint
// and the FHIR base (SMART CORS-02).
func (c Client) Origins() []string {
	if len(c.AllowedOrigins) > 0 {
		return c.AllowedOrigins
	}
	var out []string
	for _, raw := range c.RedirectURIs {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" {
			continue
		}
		if o := u.Scheme + "://" + u.Host; !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	return out
}
