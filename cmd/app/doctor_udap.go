package app

import (
	"strings"

	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// udapChecks look at the trust communities of the settings.
func (d *doctor) udapChecks() []health.Check {
	communities, err := d.cfg.UDAP.communities()
	trust := d.cfg.UDAP.trust(communities, clientauth.NewFetcher(clientauth.FetcherConfig{Clock: d.clock, Dev: d.cfg.Dev}).Document, d.clock)
	read := ask("udap-communities", "whether the files of the trust communities can be read", "correct the file; see docs/operations/udap.md", func() health.Finding {
		if err != nil {
			return health.Fail("%s", err)
		}
		return health.Good("%d", len(communities))
	})
	return append([]health.Check{read}, trust.Checks(d.udapBases(), d.offline)...)
}

// udapBases gives the FHIR bases that a community's certificate must name: that
// of the tenant at the root. Another tenant may do without.
func (d *doctor) udapBases() []string {
	return []string{strings.TrimSuffix(d.cfg.PublicURL, "/") + fhirPath}
}
