package app

import (
	"encoding/json"
	"fmt"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

type clientShow struct{ clientOne }

// Run prints a client as JSON, without credentials.
func (c *clientShow) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		client, err := a.registry().One(s.ctx, c.Tenant, c.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.err, "version %s, for client edit --if-version\n", registration.VersionOf(client))
		e := json.NewEncoder(s.out)
		e.SetIndent("", "  ")
		return e.Encode(registration.Of(client))
	})
}

type clientRotate struct {
	clientOne
	Retire bool `help:"Make the older secret invalid, once the client uses the new one."`
}

// Run makes a new secret and prints it, this once, or retires the older one.
func (c *clientRotate) Run(s *streams) error {
	return c.on(s, "rotate", func(_ *App, r *registration.Service, by audit.Event) error {
		desk := registration.Desk{Service: r, HashSecret: clientauth.SecretHash}
		if c.Retire {
			client, err := desk.RetireSecret(s.ctx, c.Tenant, c.ID, by)
			if err == nil {
				fmt.Fprintf(s.out, "client %s at tenant %s has %d valid secret\n", client.ID, c.Tenant, len(client.SecretHashes))
			}
			return err
		}
		out, err := desk.RotateSecret(s.ctx, c.Tenant, c.ID, by)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.err, "new secret of client %s at tenant %s; it is not shown again. The one before stays valid until mandate client rotate --retire:\n", c.ID, c.Tenant)
		fmt.Fprintln(s.out, out.Secret)
		return nil
	})
}
