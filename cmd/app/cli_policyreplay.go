package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/door"
	explanation "github.com/mandate-health/mandate/web/explain"
)

// replayCommand decides recorded requests again under another policy.
type replayCommand struct {
	storeFlags
	asFlag
	Tenant   string        `default:"default" help:"Tenant of the requests (default ${default})." placeholder:"ID"`
	Since    time.Duration `default:"24h" help:"How far back (default ${default})." placeholder:"DURATION"`
	Policy   string        `help:"File with the table [rules] as it would be saved; other settings may stand in it." placeholder:"FILE" type:"existingfile"`
	Labels   string        `help:"File of value sets as it would be added to labels.files." placeholder:"FILE" type:"existingfile"`
	Consent  string        `help:"FHIR Consent as it would be filed: in place of the one with its id, or as a new one." placeholder:"FILE" type:"existingfile"`
	Withdraw string        `help:"Id of a privacy Consent as if it were withdrawn." placeholder:"ID"`
	Client   string        `and:"scopes" help:"Client as if it were registered for other scopes." placeholder:"ID"`
	Scopes   string        `and:"scopes" help:"With --client: the scopes. Of an app that acts for people only fewer ones can be replayed." placeholder:"SCOPES"`
	Limit    int           `default:"1000" help:"How many requests at most, the newest first (default ${default})." placeholder:"N"`
	JSON     bool          `name:"json" help:"Print as JSON."`
}

// Help says more about the command.
func (replayCommand) Help() string {
	return "Takes the requests of the audit log, decides each as it is decided now and as it would be, and prints the differences: under other modes of the rules (--policy), value sets (--labels), with a Consent filed (--consent) or withdrawn (--withdraw), with other scopes of a client (--client, --scopes), or all of these together. Nothing is changed and nothing leaves.\n\n" +
		"The exit status is 0 when nothing would change, 3 when something would, and 1 when the command failed.\n\n" +
		"Grants are taken as they stood at the time of the request; consents, relationships and records as they are now. " +
		"A Consent that would be filed is taken to have been given before the requests; its own periods count. People were not asked about scopes that are wider, so these are refused.\n\n" +
		"What was hidden then left no trace in the log, so a rule that is loosened may show more than is listed here."
}

// files implements filing.
func (c *replayCommand) files() (reads []string, makes string) {
	return slices.DeleteFunc([]string{c.Policy, c.Labels, c.Consent}, func(path string) bool { return path == "" }), ""
}

// errWouldChange says that a replay found differences, which are printed.
var errWouldChange = errors.New("the policy decides otherwise")

// Run replays.
func (c *replayCommand) Run(s *streams) error {
	if c.Policy == "" && c.Labels == "" && c.Consent == "" && c.Withdraw == "" && c.Client == "" {
		return errors.New("say what is to be tried: --policy, --labels, --consent, --withdraw, or --client with --scopes")
	}
	if c.Limit < 1 || c.Since <= 0 {
		return errors.New("--limit and --since must be more than nothing")
	}
	return c.with(s, func(a *App) error {
		if err := a.openTenant(s.ctx, c.Tenant); err != nil {
			return err
		}
		person, err := a.requireOperator(s, operator.Need{Tenant: c.Tenant, As: c.As, Role: operator.Operator, Act: "replay"})
		if err != nil {
			return err
		}
		now, err := a.explainer(s.ctx, c.Tenant)
		if err != nil {
			return err
		}
		what, err := c.suppose(s, a)
		if err != nil {
			return err
		}
		other, err := a.supposed(now, what)
		if err != nil {
			return err
		}
		log := audit.Log{Store: a.store, Recorder: now.Recorder}
		out, err := now.Replay(s.ctx, log, other, a.clock.Now().Add(-c.Since), c.Limit, audit.Event{Time: a.clock.Now(), PersonID: person})
		if err != nil {
			return err
		}
		if err := c.print(s.out, out, what); err != nil {
			return err
		}
		if len(out.Differences) > 0 {
			return errWouldChange
		}
		return nil
	})
}

// modes reads the policy, which lies where the command was typed.
func (c *replayCommand) modes(s *streams) (access.Modes, error) {
	raw, err := s.ReadFile(s.ctx, c.Policy)
	if err != nil {
		return access.Modes{}, fmt.Errorf("the policy %s cannot be read: %w", c.Policy, err)
	}
	dir, err := tempDir()
	if err != nil {
		return access.Modes{}, err
	}
	defer dir.remove()
	path := filepath.Join(dir.path, "policy.toml")
	if err := door.Create(path, raw); err != nil {
		return access.Modes{}, err
	}
	return policyModes(path)
}

func (c *replayCommand) print(w io.Writer, out explanation.Replayed, what supposition) error {
	if c.JSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	for _, d := range out.Differences {
		what := d.Request
		if d.Resource != "" {
			what += " of which " + d.Resource
		}
		fmt.Fprintf(w, "%s  event %s  client %s  grant %s\n  %s\n  now: %s, then: %s\n", d.Time.UTC().Format(time.RFC3339), d.Event, d.Client, orDash(d.Grant), what, d.Before, d.After)
	}
	fmt.Fprintf(w, "Tried: %s.\n%d requests and %d resources of their answers were decided again, %d could not be.\n", strings.Join(what.words, "; "), out.Requests, out.Resources, out.Skipped)
	if out.Unjudged > 0 {
		fmt.Fprintf(w, "%d resources were not judged: the FHIR server is not known here; name the server's configuration with --config.\n", out.Unjudged)
	}
	if len(out.Differences) == 0 {
		fmt.Fprintln(w, "Nothing would change.")
		return nil
	}
	fmt.Fprintf(w, "%d would be decided otherwise.\n", len(out.Differences))
	return nil
}
