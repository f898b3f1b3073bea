package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/operator"
	web "github.com/mandate-health/mandate/web/federation"
)

// idpCommand looks after sign-in at other identity providers.
type idpCommand struct {
	List   idpList   `cmd:"" help:"List the identity providers of the configuration, with the addresses that they have to know."`
	Test   idpTest   `cmd:"" help:"Ask an identity provider for what a log-in needs, and say what is wrong."`
	Review idpReview `cmd:"" help:"List whom the rules were not sure of, and decide."`
}

type idpList struct{ configured }

// openProviders gives the providers of the settings. Only those of federation are
// needed.
func (c *configured) openProviders(s *streams) ([]upstreamProvider, error) {
	c.Settings.Dev = true
	if _, err := c.load(s); err != nil {
		return nil, err
	}
	all, err := c.Settings.Federation.read(!strings.HasPrefix(c.Settings.PublicURL, "https://"))
	if err == nil && len(all) == 0 {
		err = errors.New("no identity provider is configured: name its file with --identity-provider, or the configuration with --config")
	}
	return all, err
}

// Run lists the providers.
func (c *idpList) Run(s *streams) error {
	all, err := c.openProviders(s)
	if err != nil {
		return err
	}
	root := strings.TrimSuffix(c.Settings.PublicURL, "/")
	if root == "" {
		root = "{issuer}"
	}
	for _, p := range all {
		id := p.about().ID
		fmt.Fprintf(s.out, "%s (%s)\n", id, p.about().Name)
		at := func(path string) string { return root + web.At(path, id) }
		if p.saml != nil {
			fmt.Fprintf(s.out, "  entity_id               %s\n  our entity ID, metadata %s\n  our consumer service    %s\n",
				p.saml.EntityID, at(web.MetadataPath), at(web.ReceivePath))
			continue
		}
		fmt.Fprintf(s.out, "  issuer                  %s\n  client_id               %s, %s\n  redirect_uri            %s\n  backchannel_logout_uri  %s\n",
			p.openID.Issuer, p.openID.ClientID, p.openID.Auth, at(web.CallbackPath), at(web.LogoutPath))
	}
	return nil
}

type idpTest struct {
	configured
	ID string `arg:"" help:"Id of the provider."`
}

// Run asks the provider.
func (c *idpTest) Run(s *streams) error {
	all, err := c.openProviders(s)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(p upstreamProvider) bool { return p.about().ID == c.ID })
	if i < 0 {
		return fmt.Errorf("no identity provider of the configuration is called %q; run: mandate idp list", c.ID)
	}
	faults, soon := testProvider(s.ctx, all[i], !strings.HasPrefix(c.Settings.PublicURL, "https://"))
	if len(faults) > 0 {
		return fmt.Errorf("%s cannot be used:\n  %s", c.ID, strings.Join(faults, "\n  "))
	}
	for _, text := range soon {
		fmt.Fprintf(s.out, "soon: %s\n", text)
	}
	fmt.Fprintf(s.out, "%s answers as it should\n", c.ID)
	return nil
}

type idpReview struct {
	storeFlags
	asFlag
	Tenant string `default:"default" help:"Tenant of the cases (default ${default})." placeholder:"ID"`
	ID     string `arg:"" optional:"" help:"Case to decide; without, the open ones are listed."`
	Link   string `xor:"how" help:"Link to the account with this username." placeholder:"USERNAME"`
	Refuse bool   `xor:"how" help:"Refuse: the person is nobody here."`
}

// mostCases is how many cases are listed at once.
const mostCases = 100

// Run lists the cases, or decides one.
func (c *idpReview) Run(s *streams) error {
	if (c.ID != "") != (c.Link != "" || c.Refuse) {
		return errors.New("a decision is a case with --link USERNAME or --refuse; without a case the open ones are listed")
	}
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		hasher, err := a.ring.Hasher(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		people := a.newIdentity(hasher)
		by, err := a.requireOperator(s, operator.Need{Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "idp review"})
		if err != nil {
			return err
		}
		if c.ID != "" {
			if err := people.DecideMatch(s.ctx, c.Tenant, c.ID, identity.Decision{Username: c.Link, By: by}, identity.Meta{}); err != nil {
				return explain(err)
			}
			fmt.Fprintln(s.out, "decided")
			return nil
		}
		return c.list(s, people)
	})
}

func (c *idpReview) list(s *streams, people *identity.Service) error {
	all, err := people.OpenMatches(s.ctx, c.Tenant, mostCases)
	if err != nil {
		return explain(err)
	}
	out := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "CASE\tPROVIDER\tSINCE\tSAID\tFOUND")
	for _, m := range all {
		var said, found []string
		for _, k := range slices.Sorted(maps.Keys(m.Said)) {
			said = append(said, fmt.Sprintf("%s=%q", k, m.Said[k]))
		}
		for _, f := range m.Found {
			found = append(found, f.String())
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", m.ID, m.Provider, m.Created.Format(time.DateOnly), strings.Join(said, " "), strings.Join(found, " "))
	}
	return out.Flush()
}
