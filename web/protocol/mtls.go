package protocol

import (
	"net/http"
	"net/url"

	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// aliases are the endpoints for clients that show a certificate (RFC 8705 §5).
type aliases struct {
	Token      string `json:"token_endpoint"`
	Introspect string `json:"introspection_endpoint"`
	Revoke     string `json:"revocation_endpoint"`
	Push       string `json:"pushed_authorization_request_endpoint,omitempty"`
	Device     string `json:"device_authorization_endpoint,omitempty"`
}

// mtls gives them, nil where the ordinary ones serve as well.
func (e Endpoints) mtls() *aliases {
	if len(e.MTLS) == 0 || e.MTLSRoot == "" {
		return nil
	}
	at := func(endpoint string) string {
		u, err := url.Parse(endpoint)
		if err != nil || endpoint == "" {
			return endpoint
		}
		return e.MTLSRoot + u.EscapedPath()
	}
	return &aliases{at(e.Token), at(e.Introspect), at(e.Revoke), at(e.Push), at(e.Device)}
}

// certificate gives what the client of a request has shown.
func (d Deps) certificate(r *http.Request) *clientauth.Certificate {
	if d.Certificate == nil {
		return nil
	}
	return d.Certificate(r)
}
