package app

import (
	"context"

	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// federationChecks look at the identity providers of the settings.
func (d *doctor) federationChecks() []health.Check {
	all, err := d.cfg.Federation.openID(d.cfg.Dev)
	out := []health.Check{ask("signin-providers", "whether the files of the identity providers can be read", "correct the file; see docs/operations/federation.md", func() health.Finding {
		if err != nil {
			return health.Fail("%s", err)
		}
		return health.Good("%d", len(all))
	})}
	for _, p := range all {
		out = append(out, health.Check{
			ID: "signin-provider-" + p.ID, Looks: "whether people can sign in at " + p.Name,
			Remedy: "run: mandate idp test " + p.ID, Look: func(ctx context.Context) health.Finding {
				if d.offline {
					return health.Unseen("not asked: --offline")
				}
				if faults := testProvider(ctx, p, d.cfg.Dev); len(faults) > 0 {
					return health.Fail("%s", faults[0])
				}
				return health.Good("%s", p.Issuer)
			},
		})
	}
	return out
}

// testProvider asks a provider for what a log-in needs, and says what is wrong.
func testProvider(ctx context.Context, p openid.Provider, development bool) []string {
	m, err := openid.Web{HTTP: clientauth.NewPublicClient(development, nil)}.Discover(ctx, p.Issuer, development)
	if err != nil {
		return []string{err.Error()}
	}
	return p.Suits(m)
}
