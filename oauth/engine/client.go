package engine

import (
	"strings"

	"github.com/ory/fosite"

	"github.com/mandate-health/mandate/oauth"
)

var _ fosite.Client = client{}

// client shows a registered client to fosite, together with what this request
// was judged to be allowed.
type client struct {
	oauth.Client
	scopes  []string
	refresh bool
}

// GetID gives the client_id.
func (c client) GetID() string { return c.ID }

// GetHashedSecret gives nothing: fosite never sees a secret.
func (c client) GetHashedSecret() []byte { return nil }

// GetRedirectURIs gives the registered ones.
func (c client) GetRedirectURIs() []string { return c.RedirectURIs }

// GetGrantTypes gives the grant types of the client's kind. Refresh tokens
// are offered by the grant, not by the client.
func (c client) GetGrantTypes() fosite.Arguments {
	if c.ForItself() {
		return fosite.Arguments{"client_credentials"}
	}
	if c.refresh {
		return fosite.Arguments{"authorization_code", "refresh_token"}
	}
	return fosite.Arguments{"authorization_code"}
}

// GetResponseTypes gives code alone.
func (c client) GetResponseTypes() fosite.Arguments { return fosite.Arguments{"code"} }

// GetScopes gives the scopes judged for this request.
func (c client) GetScopes() fosite.Arguments { return c.scopes }

// IsPublic reports whether the client has no credential.
func (c client) IsPublic() bool { return !c.Confidential() }

// GetAudience gives nothing: the audience is the FHIR base, always.
func (c client) GetAudience() fosite.Arguments { return nil }

// words splits a scope string.
func words(scopes string) []string { return strings.Fields(scopes) }
