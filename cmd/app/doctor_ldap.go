package app

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/mandate-health/mandate/identity/factor/ldap"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/tlsconf"
)

// ldapChecks try each server of the directory that keeps passwords of staff.
func (d *doctor) ldapChecks() []health.Check {
	c := &d.cfg.LDAP
	const remedy = "correct the settings of ldap, or start the server; see docs/operations/ldap.md"
	if len(c.Servers) == 0 {
		return []health.Check{ask("ldap", "whether a directory keeps passwords of staff", remedy, func() health.Finding {
			return health.Note("inactive: no server is named")
		})}
	}
	var out []health.Check
	for i, server := range c.Servers {
		out = append(out, health.Check{
			ID: "ldap-server-" + strconv.Itoa(i+1), Looks: "whether " + server + " is trusted, lets the service account in and has the search base",
			Remedy: remedy, Look: func(ctx context.Context) health.Finding {
				if d.offline {
					return health.Unseen("not asked: --offline")
				}
				trust, err := tlsconf.Client{CAFile: c.CAFile}.TLS()
				if err != nil {
					return health.Fail("%v", err)
				}
				one := ldap.New(ldap.Deps{Config: c.settings(), TLS: trust, Clock: clock.System{}, IDs: ids.Source{}, Log: slog.New(slog.DiscardHandler)})
				if err := one.Try(ctx, server); err != nil {
					return health.Fail("%s: %v", server, err)
				}
				if c.Plaintext {
					return health.Warn("%s answers, without TLS", server)
				}
				return health.Good("%s", server)
			},
		})
	}
	return out
}
