package oauth

import (
	"encoding/json"
	"slices"
	"strings"
)

// ProfileFAPI2 is the value of SecurityProfile for the FAPI 2.0 Security Profile.
const ProfileFAPI2 = "fapi2"

// FAPI2 reports whether the client is held to the FAPI 2.0 Security Profile.
func (c Client) FAPI2() bool { return c.SecurityProfile == ProfileFAPI2 }

// profileAlgorithms are those of FAPI 2.0 §5.4 that are verified and made here.
func profileAlgorithms() []string { return []string{"PS256", "ES256"} }

// AdoptProfile fills in what the profile of the client asks for and its
// registration leaves open: pushed requests, tokens bound to a key (to the
// certificate of a client that proves itself by one), and the algorithms of what
// is signed for it.
func (c *Client) AdoptProfile() {
	if !c.FAPI2() {
		return
	}
	c.RequirePushed = true
	if !c.Constrained() {
		c.CertificateBound = c.ByCertificate()
		c.DPoPBound = !c.CertificateBound
	}
	if c.IDTokenAlg == "" {
		c.IDTokenAlg = "ES256"
	}
	if c.IntrospectionAlg == "" {
		c.IntrospectionAlg = "ES256"
	}
}

// Constrained reports whether every token of the client is bound to a key or to
// a certificate.
func (c Client) Constrained() bool { return c.DPoPBound || c.CertificateBound }

// Contradictions gives the members of the registration that the profile of the
// client does not allow, with the rest of a sentence that says why; none without a
// profile. What the profile asks of every client, such as S256, iss and codes of
// at most a minute, is not among them.
func (c Client) Contradictions() map[string]string {
	if c.SecurityProfile == "" {
		return nil
	}
	out := map[string]string{}
	if !c.FAPI2() {
		out["security_profile"] = "must be " + ProfileFAPI2
		return out
	}
	say := func(wrong bool, member, why string) {
		if wrong {
			out[member] = why + " for the security_profile " + ProfileFAPI2
		}
	}
	one := "must be one of " + strings.Join(profileAlgorithms(), ", ")
	other := func(alg string) bool { return alg != "" && !slices.Contains(profileAlgorithms(), alg) }
	say(c.Kind != ClientAsymmetric && c.Kind != ClientBackend, "token_endpoint_auth_method", "must be private_key_jwt, tls_client_auth or self_signed_tls_client_auth")
	say(!c.RequirePushed, "require_pushed_authorization_requests", "must be true")
	say(!c.Constrained(), "dpop_bound_access_tokens", "or tls_client_certificate_bound_access_tokens must be true")
	say(other(c.AuthAlg), "token_endpoint_auth_signing_alg", one)
	say(other(c.RequestObjectAlg), "request_object_signing_alg", one)
	say(c.IDTokenAlg != "ES256", "id_token_signed_response_alg", "must be ES256")
	say(c.IntrospectionAlg != "ES256", "introspection_signed_response_alg", "must be ES256")
	say(!c.ByCertificate() && len(c.JWKS) > 0 && !signsByProfile(c.JWKS), "jwks", "must hold an RSA or a P-256 key")
	say(slices.ContainsFunc(c.RedirectURIs, inTheClear), "redirect_uris", "must be https, or lead to the person's own machine,")
	say(c.DeviceFlow, "device_authorization", "must be left out")
	return out
}

// signsByProfile reports whether a key set has a key for one of the algorithms.
func signsByProfile(set []byte) bool {
	var read struct {
		Keys []struct {
			Type  string `json:"kty"`
			Curve string `json:"crv"`
		} `json:"keys"`
	}
	if json.Unmarshal(set, &read) != nil {
		return false
	}
	for _, k := range read.Keys {
		if k.Type == "RSA" || k.Curve == "P-256" {
			return true
		}
	}
	return false
}

// AssertionAlgorithms gives the signature algorithms of the client's assertions.
func (c Client) AssertionAlgorithms() []string {
	switch {
	case c.AuthAlg != "":
		return []string{c.AuthAlg}
	case c.FAPI2():
		return profileAlgorithms()
	}
	return []string{"RS384", "ES384"}
}

// ObjectAlgorithms gives the signature algorithms of the client's request objects.
func (c Client) ObjectAlgorithms() []string {
	switch {
	case c.RequestObjectAlg != "":
		return []string{c.RequestObjectAlg}
	case c.FAPI2():
		return profileAlgorithms()
	}
	all := RequestObjectAlgorithms()
	return all[:len(all)-1]
}
