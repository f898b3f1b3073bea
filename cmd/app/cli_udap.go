package app

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/udap"
)

// udapCommand helps with UDAP.
type udapCommand struct {
	List  udapList  `cmd:"" help:"List the trust communities of the configuration, and when their certificates end."`
	Check udapCheck `cmd:"" help:"Say whether a certificate is trusted, by which community, and if not, why."`
}

type udapList struct{ configured }

type udapCheck struct {
	configured
	File string `arg:"" help:"PEM file with the certificate, then those between it and the anchor." type:"existingfile"`
}

// openTrust gives the trust of the settings. Only those of UDAP are needed.
func (c *configured) openTrust(s *streams) (*udap.Trust, error) {
	c.Settings.Dev = true
	if _, err := c.load(s); err != nil {
		return nil, err
	}
	communities, err := c.Settings.UDAP.communities()
	if err != nil {
		return nil, err
	}
	if len(communities) == 0 {
		return nil, errors.New("no trust community is configured: name its file with --udap-community, or the configuration with --config")
	}
	now := clock.System{}
	return c.Settings.UDAP.trust(communities, clientauth.NewFetcher(clientauth.FetcherConfig{Clock: now}).Document, now), nil
}

// Run lists the communities.
func (c *udapList) Run(s *streams) error {
	trust, err := c.openTrust(s)
	if err != nil {
		return err
	}
	line := func(what string, cert *x509.Certificate) {
		fmt.Fprintf(s.out, "  %-8s %-50s until %s\n", what, cert.Subject.String(), cert.NotAfter.UTC().Format(time.DateOnly))
	}
	for _, community := range trust.Communities {
		fmt.Fprintf(s.out, "%s (revocation lists %s)\n", community.URI, community.CRL)
		for _, a := range community.Anchors {
			line("anchor", a)
		}
		// A community of a file has one certificate for every base.
		cred, err := community.Server("")
		if err != nil {
			return explain(err)
		}
		line("server", cred.Chain[0])
		fmt.Fprintf(s.out, "  for      %s\n", strings.Join(udap.URIs(cred.Chain[0]), " "))
	}
	return nil
}

// Run checks a certificate as the server would.
func (c *udapCheck) Run(s *streams) error {
	trust, err := c.openTrust(s)
	if err != nil {
		return err
	}
	certs, err := readCertificates(c.File)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "subject    %s\nSAN URIs   %s\nlists      %s\nuntil      %s\n",
		certs[0].Subject, strings.Join(udap.URIs(certs[0]), " "), strings.Join(udap.Locations(certs[0]), " "), certs[0].NotAfter.UTC().Format(time.RFC3339))
	member, err := trust.Verify(s.ctx, certs, "")
	if err != nil {
		return fmt.Errorf("%s (%s)", errs.As(err).Msg, errs.As(err).Code)
	}
	fmt.Fprintf(s.out, "trusted by %s, through %s\n", member.Community.URI, member.Chain[len(member.Chain)-1].Subject)
	return nil
}
