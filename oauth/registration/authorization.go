package registration

import (
	"slices"
	"strings"

	"github.com/mandate-health/mandate/oauth"
)

// Authorization is how a client's authorization requests come, and how it signs.
type Authorization struct {
	// Profile is of Mandate: see oauth.Client.SecurityProfile.
	Profile string `json:"security_profile,omitempty"`
	AuthAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`
	// RequirePushed is of RFC 9126 §6, RequireSigned of RFC 9101 §10.5.
	RequirePushed    bool   `json:"require_pushed_authorization_requests,omitempty"`
	RequireSigned    bool   `json:"require_signed_request_object,omitempty"`
	RequestObjectAlg string `json:"request_object_signing_alg,omitempty"`
	// DefaultMaxAge, in seconds, and DefaultACR are of OpenID Connect Dynamic
	// Client Registration.
	DefaultMaxAge int64    `json:"default_max_age,omitempty"`
	DefaultACR    []string `json:"default_acr_values,omitempty"`
	// DetailsTypes is of RFC 9396 §10.
	DetailsTypes []string `json:"authorization_details_types,omitempty"`
}

func authorizationOf(c oauth.Client) Authorization {
	return Authorization{
		Profile: c.SecurityProfile, AuthAlg: c.AuthAlg,
		RequirePushed: c.RequirePushed, RequireSigned: c.RequireSigned, RequestObjectAlg: c.RequestObjectAlg,
		DefaultMaxAge: c.DefaultMaxAge, DefaultACR: c.DefaultACR,
		DetailsTypes: c.DetailsTypes,
	}
}

// put gives the client what it says about its requests.
func (a Authorization) put(c *oauth.Client) {
	c.RequirePushed, c.RequireSigned, c.RequestObjectAlg = a.RequirePushed, a.RequireSigned, a.RequestObjectAlg
	c.SecurityProfile = a.Profile
	c.AuthAlg, c.DefaultMaxAge, c.DefaultACR = a.AuthAlg, a.DefaultMaxAge, a.DefaultACR
	c.DetailsTypes = a.DetailsTypes
}

func (a Authorization) check(c oauth.Client, f *Faults) {
	known := oauth.RequestObjectAlgorithms()
	if a.RequestObjectAlg != "" && !slices.Contains(known, a.RequestObjectAlg) {
		f.add("request_object_signing_alg", "must be one of "+strings.Join(known, ", "))
	}
	if a.AuthAlg != "" && (!slices.Contains(oauth.AssertionAlgorithms(), a.AuthAlg) || c.Kind != oauth.ClientAsymmetric && c.Kind != oauth.ClientBackend) {
		f.add("token_endpoint_auth_signing_alg", "must be one of "+strings.Join(oauth.AssertionAlgorithms(), ", ")+", for a client with keys")
	}
	if len(a.DetailsTypes) > 0 && !slices.Equal(a.DetailsTypes, []string{oauth.DetailsSMART}) {
		f.add("authorization_details_types", "may hold only "+oauth.DetailsSMART)
	}
	if (a.RequireSigned || a.RequestObjectAlg != "") && len(c.JWKS) == 0 && c.JWKSURI == "" {
		f.add("require_signed_request_object", "and request_object_signing_alg need jwks or jwks_uri")
	}
}
