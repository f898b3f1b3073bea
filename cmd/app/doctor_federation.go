package app

import (
	"context"

	"github.com/mandate-health/mandate/identity/federation/openid"
	"github.com/mandate-health/mandate/identity/federation/saml"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// federationChecks look at the identity providers of the settings.
func (d *doctor) federationChecks() []health.Check {
	all, err := d.cfg.Federation.read(d.cfg.Dev)
	out := []health.Check{ask("signin-providers", "whether the files of the identity providers can be read", "correct the file; see docs/operations/federation.md", func() health.Finding {
		if err != nil {
			return health.Fail("%s", err)
		}
		return health.Good("%d", len(all))
	})}
	for _, p := range all {
		out = append(out, health.Check{
			ID: "signin-provider-" + p.about().ID, Looks: "whether people can sign in at " + p.about().Name,
			Remedy: "run: mandate idp test " + p.about().ID, Look: func(ctx context.Context) health.Finding {
				if d.offline {
					return health.Unseen("not asked: --offline")
				}
				faults, soon := testProvider(ctx, p, d.cfg.Dev)
				switch {
				case len(faults) > 0:
					return health.Fail("%s", faults[0])
				case len(soon) > 0:
					return health.Warn("%s", soon[0])
				}
				return health.Good("%s", p.calls())
			},
		})
	}
	return out
}

// testProvider asks a provider for what a log-in needs, and says what is wrong and
// what soon will be.
func testProvider(ctx context.Context, p upstreamProvider, development bool) (faults, soon []string) {
	asks := clientauth.NewPublicClient(development, nil)
	if p.saml != nil {
		now := clock.System{}.Now()
		m, err := saml.Web{HTTP: asks, Development: development}.Metadata(ctx, *p.saml, now)
		if err != nil {
			return []string{err.Error()}, nil
		}
		return p.saml.Suits(m, now)
	}
	m, err := openid.Web{HTTP: asks}.Discover(ctx, p.openID.Issuer, development)
	if err != nil {
		return []string{err.Error()}, nil
	}
	return p.openID.Suits(m), nil
}
