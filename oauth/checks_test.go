package oauth_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/oauth"
)

// SG-07: each unwise registration is found by its check, and by no other.
func TestClientChecks(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	weak := json.RawMessage(`{"keys":[{"kty":"RSA","kid":"1","e":"AQAB","n":"sXchMhV3JlDL6NDzMx-P1ypvrk0BUUZVbYa4OOtnvRMdCdAdOX7wKqYJq6i2AxZ0"}]}`)
	good := oauth.Client{ID: "good", Kind: oauth.ClientPublic, RedirectURIs: []string{"https://a.example/cb", "http://127.0.0.1/cb", "app.good:/cb"}, Scopes: "patient/*.rs user/Patient.rs"}
	for id, spoil := range map[string]func(*oauth.Client){
		"client-redirect-https": func(c *oauth.Client) { c.RedirectURIs = []string{"http://a.example/cb"} },
		"client-redirect-wide":  func(c *oauth.Client) { c.RedirectURIs = []string{"https://a.example/cb#x"} },
		"client-launch-https":   func(c *oauth.Client) { c.LaunchURIs = []string{"http://a.example/launch"} },
		"client-origins":        func(c *oauth.Client) { c.AllowedOrigins = []string{"*"} },
		"client-jwks-https":     func(c *oauth.Client) { c.Kind, c.JWKSURI = oauth.ClientBackend, "http://a.example/jwks" },
		"client-keys":           func(c *oauth.Client) { c.Kind, c.JWKS = oauth.ClientBackend, weak },
		"client-symmetric":      func(c *oauth.Client) { c.Kind = oauth.ClientSymmetric },
		"client-profile":        func(c *oauth.Client) { c.SecurityProfile = oauth.ProfileFAPI2 },
		"client-secrets":        func(c *oauth.Client) { c.SecretHashes = []string{"1", "2", "3"} },
		"client-scopes":         func(c *oauth.Client) { c.Scopes = "system/*.cruds" },
		"client-verified":       func(c *oauth.Client) { c.Created = now.Add(-31 * 24 * time.Hour) },
		"client-introspect":     func(c *oauth.Client) { c.Introspect = true },
		"":                      func(c *oauth.Client) { c.Disabled, c.RedirectURIs = true, []string{"http://a.example"} },
	} {
		c := good
		spoil(&c)
		read := func(context.Context) ([]oauth.Client, error) { return []oauth.Client{good, c}, nil }
		for _, r := range health.Run(t.Context(), oauth.ClientChecks(read, now)) {
			if (r.Severity != health.Fine) != (r.ID == id) {
				t.Errorf("%s: %+v", id, r)
			}
		}
	}
}
