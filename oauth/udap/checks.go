package udap

import (
	"context"
	"crypto/x509"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/health"
)

// The times before an end at which it is told and at which it is pressing.
const (
	soon     = 60 * 24 * time.Hour
	pressing = 14 * 24 * time.Hour
)

// Checks lists what mandate doctor asks about the trust communities; bases are
// the FHIR bases that are served, offline asks no other machine.
func (t *Trust) Checks(bases []string, offline bool) []health.Check {
	each := func(id, looks, remedy string, look func(context.Context, *Community) health.Finding) health.Check {
		return health.Check{ID: id, Looks: looks, Remedy: remedy, Look: func(ctx context.Context) health.Finding {
			if len(t.Communities) == 0 {
				return health.Note("no trust community is configured")
			}
			var all []health.Result
			var texts []string
			for i := range t.Communities {
				found := look(ctx, &t.Communities[i])
				all, texts = append(all, health.Result{Severity: found.Severity}), append(texts, t.Communities[i].URI+": "+found.Text)
			}
			return health.Finding{Severity: health.Worst(all), Text: strings.Join(texts, "; ")}
		}}
	}
	return []health.Check{
		each("udap-anchors-end", "when the anchors of trust communities end", "get the community's new anchor bundle", func(_ context.Context, c *Community) health.Finding {
			return t.ends(c.Anchors...)
		}),
		each("udap-server-certificate", "whether this server's certificate for each trust community names the FHIR base and is valid for a while", "get a new certificate from the community, with the FHIR base as a SAN URI", func(_ context.Context, c *Community) health.Finding {
			return t.server(c, bases)
		}),
		each("udap-crl", "whether certificates of trust communities are asked for revocation", "set crl to required", func(_ context.Context, c *Community) health.Finding {
			if c.CRL == CRLOff {
				return health.Fail("no list is asked")
			}
			return health.Good("%s", c.CRL)
		}),
		each("udap-crl-reachable", "whether the revocation lists of this server's own authorities can be had", "open the way out for this server, or ask the community", func(ctx context.Context, c *Community) health.Finding {
			if offline {
				return health.Unseen("not asked")
			}
			return t.reachable(ctx, c, bases)
		}),
	}
}

// ends judges the first of several certificates that ends.
func (t *Trust) ends(certs ...*x509.Certificate) health.Finding {
	first := certs[0].NotAfter
	for _, c := range certs {
		if c.NotAfter.Before(first) {
			first = c.NotAfter
		}
	}
	text := "until " + first.UTC().Format(time.DateOnly)
	switch left := first.Sub(t.Clock.Now()); {
	case left < pressing:
		return health.Fail("%s", text)
	case left < soon:
		return health.Warn("%s", text)
	}
	return health.Good("%s", text)
}

func (t *Trust) server(c *Community, bases []string) health.Finding {
	for _, base := range bases {
		cred, err := c.Server(base)
		if err == nil {
			err = cred.Validate(base, t.Clock.Now())
		}
		if err != nil {
			return health.Fail("for %s: %s", base, errs.As(err).Msg)
		}
		if found := t.ends(cred.Chain...); found.Severity != health.Fine {
			return found
		}
	}
	return health.Good("valid")
}

func (t *Trust) reachable(ctx context.Context, c *Community, bases []string) health.Finding {
	for _, base := range bases {
		cred, err := c.Server(base)
		if err != nil {
			continue
		}
		_, err = t.Verify(ctx, cred.Chain, c.URI)
		if err != nil {
			return health.Warn("%s", errs.As(err).Msg)
		}
	}
	return health.Good("reachable")
}
