package app

import (
	"context"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

type clientProfile struct {
	clientOne
	Name string `arg:"" name:"profile" enum:"fapi2" help:"fapi2, the FAPI 2.0 Security Profile: pushed requests, tokens bound to a key or a certificate, PS256 or ES256."`
}

// Run holds the client to the profile, or says what contradicts it.
func (c *clientProfile) Run(s *streams) error {
	return c.one(s, "profile", func(ctx context.Context, r *registration.Service, by audit.Event) (oauth.Client, error) {
		return r.Hold(ctx, c.Tenant, c.ID, c.Name, by)
	})
}
