package protocol

import (
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/oauth/engine"
)

// ResourceMetadataPath is where RFC 9728 §3.1 puts the metadata of a resource:
// between the host and the path of the resource.
const ResourceMetadataPath = "/.well-known/oauth-protected-resource"

// ResourceMetadataURL gives the address of the metadata of a FHIR base.
func ResourceMetadataURL(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	u.Path = ResourceMetadataPath + u.Path
	return u.String()
}

// resourceMetadata is the document of RFC 9728 §2.
type resourceMetadata struct {
	Resource             string   `json:"resource"`
	AuthorizationServers []string `json:"authorization_servers"`
	Scopes               []string `json:"scopes_supported"`
	BearerMethods        []string `json:"bearer_methods_supported"`
	DPoPAlgs             []string `json:"dpop_signing_alg_values_supported"`
	CertificateBound     bool     `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	Name                 string   `json:"resource_name,omitempty"`
	Documentation        string   `json:"resource_documentation,omitempty"`
}

// ResourceMetadata says of the FHIR base who gives out tokens for it, and how
// they are presented (RFC 9728).
func ResourceMetadata(e Endpoints, scopes []string) http.Handler {
	return document(resourceMetadata{
		Resource: e.FHIRBase, AuthorizationServers: []string{e.Issuer}, Scopes: scopes, BearerMethods: []string{"header"},
		DPoPAlgs: engine.ProofAlgorithms(), CertificateBound: len(e.MTLS) > 0, Name: "FHIR R4", Documentation: e.FHIRBase + "/metadata",
	})
}
