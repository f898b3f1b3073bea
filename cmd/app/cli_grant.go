package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// grantCommand works with what people allowed apps.
type grantCommand struct {
	List   grantList   `cmd:"" help:"List what people allowed one app, or what stands on one record, newest first."`
	Revoke grantRevoke `cmd:"" help:"End one grant, or all that people made to one app. Their tokens are dead."`
}

type grantList struct {
	storeFlags
	Tenant  string `default:"default" help:"Tenant of the grants (default ${default})." placeholder:"ID"`
	Client  string `xor:"of" required:"" help:"Grants of this client_id." placeholder:"ID"`
	Patient string `xor:"of" required:"" help:"Grants on the record of this patient." placeholder:"ID"`
	Live    bool   `help:"Only those that stand."`
	Count   int    `default:"100" help:"How many at most (default ${default})." placeholder:"N"`
	JSON    bool   `name:"json" help:"Print as JSON."`
}

// grantLine is a grant as the command line shows it.
type grantLine struct {
	ID      string `json:"id"`
	Client  string `json:"client_id"`
	Person  string `json:"person_id"`
	Patient string `json:"patient,omitempty"`
	State   string `json:"state"`
	Created string `json:"created"`
	Ends    string `json:"ends"`
	Scopes  string `json:"scope"`
}

// Run lists them.
func (c *grantList) Run(s *streams) error {
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		list, err := c.find(s, a)
		if err != nil {
			return err
		}
		lines := []grantLine{}
		for _, g := range list {
			state := "stands"
			switch {
			case !g.Revoked.IsZero():
				state = g.Reason
			case !g.Live(a.clock.Now()):
				state = "ended"
			}
			if (state == "stands" || !c.Live) && len(lines) < c.Count {
				lines = append(lines, grantLine{g.ID, g.ClientID, g.PersonID, g.Record(), state, dateOrDash(g.Created), dateOrDash(g.Ends), g.Scopes})
			}
		}
		if c.JSON {
			out := json.NewEncoder(s.out)
			out.SetIndent("", "  ")
			return out.Encode(lines)
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "GRANT\tCLIENT\tPERSON\tPATIENT\tSTATE\tCREATED\tENDS")
		for _, l := range lines {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Client, l.Person, orDash(l.Patient), l.State, l.Created, l.Ends)
		}
		return w.Flush()
	})
}

func (c *grantList) find(s *streams, a *App) ([]oauth.Grant, error) {
	if c.Patient != "" {
		return a.store.GrantsOfPatient(s.ctx, c.Tenant, c.Patient)
	}
	page := oauth.GrantPage{Limit: c.Count}
	if c.Live {
		page.LiveAt = a.clock.Now()
	}
	return a.store.GrantsOfClient(s.ctx, c.Tenant, c.Client, page)
}

type grantRevoke struct {
	storeFlags
	asFlag
	Tenant string `default:"default" help:"Tenant of the grant (default ${default})." placeholder:"ID"`
	Client string `help:"End all grants that people made to this client_id, in place of one." placeholder:"ID"`
	Yes    bool   `help:"With --client: do it. People have to allow the app again."`
	ID     string `arg:"" optional:"" name:"grant" help:"The grant, as grant list names it."`
}

// Run ends one grant or all of a client.
func (c *grantRevoke) Run(s *streams) error {
	switch {
	case (c.ID == "") == (c.Client == ""):
		return errors.New("name one grant, or a client with --client ID")
	case c.Client != "" && !c.Yes:
		return fmt.Errorf("nothing was ended: all that people allowed %s would end, and each would have to allow it again; say --yes to do it", c.Client)
	}
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		person, err := a.requireOperator(s, operator.Need{Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "grant revoke"})
		if err != nil {
			return err
		}
		by, ends := audit.Event{Tenant: c.Tenant, PersonID: person}, a.ends()
		if c.Client != "" {
			if _, err := a.store.ClientByID(s.ctx, c.Tenant, c.Client); err != nil {
				return err
			}
			n, err := ends.EndAll(s.ctx, c.Tenant, c.Client, "ended-by-operator", by)
			fmt.Fprintf(s.out, "%d grants to %s ended; its tokens of them are dead\n", n, c.Client)
			return err
		}
		g, err := a.store.GrantByID(s.ctx, c.Tenant, c.ID)
		if err != nil {
			return err
		}
		if err := ends.EndGrant(s.ctx, g, "ended-by-operator", by); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "grant %s to %s ended; its tokens are dead\n", g.ID, g.ClientID)
		return nil
	})
}

// ends gives the use-case of ending grants to a command, which may have no more
// than a store.
func (a *App) ends() *oauth.Connections {
	c := a.connections()
	if a.consents == nil {
		c.Consents = consent.NewService(consent.Deps{
			Store: a.store, Tx: on(a.store, func(tx store.Tx) consent.FilingTx { return tx }), Clock: a.clock, IDs: a.ids,
		})
	}
	return c
}
