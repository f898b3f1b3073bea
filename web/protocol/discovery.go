package protocol

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"github.com/mandate-health/mandate/oauth/engine"
	"net/http"
	"slices"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/brand"
	"github.com/mandate-health/mandate/oauth/grant"
)

// Endpoints are the absolute URLs that discovery documents name. Issuer and
// FHIRBase have no trailing slash.
type Endpoints struct {
	Issuer     string
	FHIRBase   string
	Authorize  string
	Token      string
	Introspect string
	Revoke     string
	JWKS       string
	// Push is where authorization requests are pushed; PushRequired says that
	// all must be (RFC 9126 §5).
	Push         string
	PushRequired bool
	// Register is the registration endpoint (RFC 7591), empty while nobody may
	// register dynamically.
	Register string
	// ClientDocuments says that a client_id may be the address of a document that
	// describes the client.
	ClientDocuments bool
	// Device is where devices begin (RFC 8628), empty where they may not.
	Device string
	// Off are the grant types that are not offered.
	Off []string
	// Documentation is a page for developers.
	Documentation string
	// Management is the page on which people see and end app access.
	Management string
	// EndSession is where apps sign people out.
	EndSession string
	// Brands is where the bundle of user-access brands is, if there is one.
	Brands string
	// AppState is where apps keep state of their own, empty where they may not.
	AppState string
	// MTLS are the ways of authentication by a TLS client certificate that are
	// offered, none where they are off. MTLSRoot is the public URL of the
	// listener that asks for certificates, empty when it is the main one.
	MTLS     []string
	MTLSRoot string
}

// capabilities are the SMART capabilities that work (CAP-01…CAP-17, US-05).
var capabilities = []string{
	"launch-ehr", "launch-standalone", "authorize-post",
	"client-public", "client-confidential-symmetric", "client-confidential-asymmetric",
	"sso-openid-connect", "context-banner", "context-style",
	"context-ehr-patient", "context-ehr-encounter", "context-standalone-patient", "context-standalone-encounter",
	"permission-offline", "permission-online", "permission-patient", "permission-user", "permission-v1", "permission-v2",
}

// Capabilities gives the SMART capabilities that discovery claims.
func (e Endpoints) Capabilities() []string {
	out := slices.Clone(capabilities)
	if e.AppState != "" {
		out = append(out, capabilityAppState)
	}
	return out
}

const capabilityAppState = "smart-app-state"

// associated is a further base that shares this authorization (DISC-17).
type associated struct {
	URL          string   `json:"url"`
	Capabilities []string `json:"capabilities"`
}

type smartConfiguration struct {
	Issuer                string   `json:"issuer"`
	JWKSURI               string   `json:"jwks_uri"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	DeviceEndpoint        string   `json:"device_authorization_endpoint,omitempty"`
	ManagementEndpoint    string   `json:"management_endpoint"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitempty"`
	ClientDocuments       bool     `json:"client_id_metadata_document_supported,omitempty"`
	GrantTypes            []string `json:"grant_types_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	Scopes                []string `json:"scopes_supported"`
	CodeChallengeMethods  []string `json:"code_challenge_methods_supported"`
	TokenEndpointAuth     []string `json:"token_endpoint_auth_methods_supported"`
	TokenEndpointAuthAlgs []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	DPoPAlgs              []string `json:"dpop_signing_alg_values_supported"`
	CertificateBound      bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	Aliases               *aliases `json:"mtls_endpoint_aliases,omitempty"`
	Capabilities          []string `json:"capabilities,omitempty"`
	SubjectTypes          []string `json:"subject_types_supported,omitempty"`
	IDTokenAlgs           []string `json:"id_token_signing_alg_values_supported,omitempty"`
	IntrospectionAlgs     []string `json:"introspection_signing_alg_values_supported,omitempty"`
	ResponseModes         []string `json:"response_modes_supported,omitempty"`
	Claims                []string `json:"claims_supported,omitempty"`
	IssParameter          bool     `json:"authorization_response_iss_parameter_supported"`
	RequestParameter      *bool    `json:"request_parameter_supported,omitempty"`
	RequestURIParameter   *bool    `json:"request_uri_parameter_supported,omitempty"`
	PushEndpoint          string   `json:"pushed_authorization_request_endpoint,omitempty"`
	PushRequired          bool     `json:"require_pushed_authorization_requests,omitempty"`
	ACRValues             []string `json:"acr_values_supported,omitempty"`
	RequestObjectAlgs     []string `json:"request_object_signing_alg_values_supported,omitempty"`
	IntrospectionAuth     []string `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	IntrospectionAuthAlgs []string `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	RevocationAuth        []string `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	EndSessionEndpoint    string   `json:"end_session_endpoint,omitempty"`
	BackchannelLogout     bool     `json:"backchannel_logout_supported,omitempty"`
	BackchannelSession    bool     `json:"backchannel_logout_session_supported,omitempty"`

	Associated         []associated      `json:"associated_endpoints,omitempty"`
	BrandBundle        string            `json:"user_access_brand_bundle,omitempty"`
	BrandIdentifier    *brand.Identifier `json:"user_access_brand_identifier,omitempty"`
	RevocationAuthAlgs []string          `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	ProtectedResources []string          `json:"protected_resources,omitempty"`
	// Documentation leads developers to how to register, and from there to the
	// description of the API (RFC 8414 §2).
	Documentation string `json:"service_documentation,omitempty"`
}

func configuration(e Endpoints, scopes []string) smartConfiguration {
	return smartConfiguration{
		Issuer: e.Issuer, JWKSURI: e.JWKS,
		AuthorizationEndpoint: e.Authorize, TokenEndpoint: e.Token,
		IntrospectionEndpoint: e.Introspect, RevocationEndpoint: e.Revoke, ManagementEndpoint: e.Management,
		RegistrationEndpoint: e.Register,
		ClientDocuments:      e.ClientDocuments,
		DeviceEndpoint:       e.Device,
		GrantTypes:           grant.Names(e.Off...),
		ResponseTypes:        []string{"code"},
		Scopes:               scopes,
		CodeChallengeMethods: []string{"S256"},
		TokenEndpointAuth:    slices.Concat([]string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}, e.MTLS),
		// What every client may sign with that is not registered for one algorithm.
		TokenEndpointAuthAlgs: oauth.Client{}.AssertionAlgorithms(),
		CertificateBound:      len(e.MTLS) > 0,
		Aliases:               e.mtls(),
		DPoPAlgs:              engine.ProofAlgorithms(),
		IssParameter:          true,
		PushEndpoint:          e.Push,
		PushRequired:          e.PushRequired,
	}
}

// SMARTConfiguration serves {fhir_base}/.well-known/smart-configuration
// (SMART DISC-01…DISC-20). What operators change while the server runs is asked
// of brands and built once for each change.
func SMARTConfiguration(e Endpoints, scopes []string, brands Brands) http.Handler {
	c := configuration(e, scopes)
	c.Capabilities = e.Capabilities()
	if e.AppState != "" {
		c.Associated = []associated{{e.AppState, []string{capabilityAppState}}}
	}
	return &branded{brands: brands, build: func(id brand.Identifier) http.Handler {
		c := c
		if id.Value != "" {
			c.BrandBundle, c.BrandIdentifier = e.Brands, &id
		}
		return document(c)
	}}
}

// OpenIDConfiguration serves {issuer}/.well-known/openid-configuration
// (OIDC Discovery §3, SMART OID-10).
func OpenIDConfiguration(e Endpoints, scopes []string) http.Handler {
	c := configuration(e, scopes)
	yes, no := true, false
	c.SubjectTypes = []string{"public"}
	c.IDTokenAlgs = []string{"RS256", "ES256"}
	c.IntrospectionAlgs = c.IDTokenAlgs
	c.ResponseModes = []string{"query"}
	c.Claims = []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "fhirUser"}
	c.RequestParameter, c.RequestURIParameter = &yes, &no
	for _, level := range identity.Levels() {
		c.ACRValues = append(c.ACRValues, string(level))
	}
	c.RequestObjectAlgs = oauth.RequestObjectAlgorithms()
	c.IntrospectionAuth = slices.Concat([]string{"client_secret_basic", "client_secret_post", "private_key_jwt"}, e.MTLS)
	c.RevocationAuth = c.TokenEndpointAuth
	c.EndSessionEndpoint, c.Documentation = e.EndSession, e.Documentation
	c.BackchannelLogout, c.BackchannelSession = true, true
	// SMART promises that each algorithm of its document works for each client
	// (DISC-12); the issuer's tells what clients can be registered for as well.
	c.TokenEndpointAuthAlgs = oauth.AssertionAlgorithms()
	c.IntrospectionAuthAlgs, c.RevocationAuthAlgs = c.TokenEndpointAuthAlgs, c.TokenEndpointAuthAlgs
	c.ProtectedResources = []string{e.FHIRBase}
	return document(c)
}

// document serves bytes that were prepared once, to any origin, whatever the
// Accept header says (DISC-03, CORS-01).
func document(v any) http.Handler {
	body, err := json.Marshal(v)
	sum := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err != nil {
			http.Error(w, "", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "*")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("ETag", etag)
		serve(w, r, time.Time{}, body)
	})
}
