package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/internal/tlsconf"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/embedded"
	"github.com/mandate-health/mandate/store/postgres"
)

// doctorCommand looks for what is wrong.
type doctorCommand struct {
	Look     doctorLook     `cmd:"" default:"withargs" help:"Look at everything and tell what is wrong (this is what plain mandate doctor does)."`
	Baseline doctorBaseline `cmd:"" help:"Write down the configuration as it is approved, signed."`
	List     doctorList     `cmd:"" help:"List every check."`
}

type doctorLook struct {
	configured
	Dev         bool   `help:"Look as at mandate dev."`
	JSON        bool   `name:"json" help:"Print as JSON."`
	All         bool   `help:"Print what is fine too."`
	Strict      bool   `help:"End with status 1 for warnings too."`
	Offline     bool   `help:"Ask no other machine, and not the running server."`
	Only        string `help:"Only the checks whose id begins so." placeholder:"PREFIX"`
	Baseline    string `help:"Compare the configuration with this baseline." placeholder:"FILE" type:"existingfile"`
	BaselineKey string `name:"baseline-key" help:"PEM file with the public Ed25519 key under which the baseline was signed." placeholder:"FILE" type:"existingfile"`
}

type doctorBaseline struct {
	configured
	Dev   bool   `help:"Look as at mandate dev."`
	Write string `required:"" help:"File to write." placeholder:"FILE"`
	Sign  string `name:"sign-with" required:"" help:"PEM file with the private Ed25519 key of who approves; keep it off this machine." placeholder:"FILE" type:"existingfile"`
}

type doctorList struct {
	Markdown bool `hidden:"" help:"Print the table of the documentation."`
}

// Run looks at everything.
func (c *doctorLook) Run(s *streams) error {
	if (c.Baseline == "") != (c.BaselineKey == "") {
		return errors.New("--baseline and --baseline-key belong together: an unsigned baseline proves nothing")
	}
	c.Settings.Dev = c.Dev
	loaded, err := c.load(s)
	if err != nil {
		return err
	}
	d := newDoctor(s.ctx, c.Settings, loaded)
	defer d.close(s.ctx)
	d.offline = c.Offline
	checks := slices.DeleteFunc(d.checks(), func(k health.Check) bool { return !strings.HasPrefix(k.ID, c.Only) })
	results := health.Run(s.ctx, checks)
	if c.Baseline != "" {
		b, err := health.ReadBaseline(c.Baseline, c.BaselineKey)
		if err != nil {
			return explain(err)
		}
		results = append(results, b.Drift(d.facts())...)
	}
	if c.JSON {
		if err := health.WriteJSON(s.out, results); err != nil {
			return err
		}
	} else {
		health.WriteText(s.out, results, c.All)
	}
	if w := health.Worst(results); w == health.Failing || c.Strict && w == health.Warning {
		return errFailedChecks
	}
	return nil
}

// Run writes the baseline.
func (c *doctorBaseline) Run(s *streams) error {
	c.Settings.Dev = c.Dev
	loaded, err := c.load(s)
	if err != nil {
		return err
	}
	d := &doctor{cfg: c.Settings, loaded: loaded, clock: clock.System{}}
	facts := d.facts()
	if err := health.SignBaseline(c.Write, c.Sign, facts, d.clock.Now()); err != nil {
		return explain(err)
	}
	fmt.Fprintf(s.out, "%d facts signed in %s\n", len(facts), c.Write)
	return nil
}

// Run lists the checks.
func (c *doctorList) Run(s *streams) error {
	cfg := Config{}
	loaded, _ := config.Load(&cfg, config.Sources{})
	d := &doctor{cfg: cfg, loaded: loaded, clock: clock.System{}}
	checks := d.checks()
	checks = slices.DeleteFunc(checks, func(k health.Check) bool { return strings.HasPrefix(k.ID, "store-") })
	checks = slices.Concat(checks, store.CommonChecks(), postgres.Catalogue(), embedded.Catalogue())
	if c.Markdown {
		health.WriteMarkdown(s.out, checks)
		return nil
	}
	for _, k := range checks {
		fmt.Fprintf(s.out, "%-34s %s\n", k.ID, k.Looks)
	}
	fmt.Fprintf(s.out, "%d checks\n", len(checks))
	return nil
}

// doctor gathers what the checks look at.
type doctor struct {
	cfg     Config
	loaded  *config.Loaded
	clock   clock.Clock
	offline bool
	// st is nil when the store could not be opened, for the reason closed.
	st     *store.Store
	closed string
	// provider is nil when it could not be opened, for the reason locked.
	provider keys.Provider
	// locked says why the key provider could not be opened; empty when it was.
	locked string
}

// newDoctor opens the store as it is, without changing it.
func newDoctor(ctx context.Context, cfg Config, loaded *config.Loaded) *doctor {
	d := &doctor{cfg: cfg, loaded: loaded, clock: clock.System{}}
	if _, err := os.Stat(cfg.Data); cfg.Database == "" && err != nil {
		d.closed = "there is no folder " + cfg.Data + " yet"
		return d
	}
	engine, err := openEngine(ctx, cfg, 0)
	if err != nil {
		d.closed = explain(err).Error()
		return d
	}
	o := store.Options{IDs: ids.Source{}, Clock: d.clock}
	if provider, err := openKeys(ctx, cfg, d.clock, false); err != nil {
		d.locked = explain(err).Error()
	} else {
		d.provider = provider
		o.Sealer = keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider, Clock: d.clock, AcceptPlain: cfg.Dev})
	}
	d.st = store.New(engine, o)
	return d
}

func (d *doctor) close(ctx context.Context) {
	if d.st != nil {
		closing(ctx, d.st, discard())
	}
}

// checks collects those of every room. A room that gets some adds one line.
func (d *doctor) checks() []health.Check {
	return slices.Concat(
		d.configChecks(),
		d.limitChecks(),
		d.ruleChecks(),
		d.labelChecks(),
		d.lawChecks(),
		d.passwordChecks(),
		d.keyChecks(),
		d.keyAges(),
		d.consentChecks(),
		d.backupChecks(),
		d.hostChecks(),
		tlsconf.Checks(d.cfg.Transport, d.cfg.PublicURL, d.clock),
		d.udapChecks(),
		d.federationChecks(),
		d.scimChecks(),
		d.ldapChecks(),
		d.publicChecks(),
		d.runningChecks(),
		d.upstreamChecks(),
		d.storeChecks(),
		d.onStore(oauth.ClientChecks(d.clients, d.clock.Now())),
		d.onStore(d.jwksCheck()),
		d.onStore(d.certificateCheck()),
		d.onStore(d.brandCheck()),
		d.signInChecks(),
		d.smsChecks(),
		d.passkeyChecks(),
		d.onStore(d.demoChecks()),
	)
}

// facts are what a baseline holds: every setting that is no secret, and what
// the program and its key are.
func (d *doctor) facts() map[string]string {
	out := d.loaded.Facts()
	out["program.version"] = Version
	if d.cfg.Transport.CertFile != "" {
		// The pin, since certificates over the same key are renewed often.
		if pin, err := tlsconf.PinOfFile(d.cfg.Transport.CertFile); err == nil {
			out["program.tls_pin"] = pin
		}
	}
	return out
}

// storeChecks are those of the store, or why it cannot be asked.
func (d *doctor) storeChecks() []health.Check {
	if d.st != nil {
		return d.st.Checks()
	}
	return []health.Check{{
		ID: "store-reachable", Looks: "whether the store answers", Remedy: "stop the server to look into its embedded store, or correct the address of the database",
		Look: func(context.Context) health.Finding { return health.Warn("%s", d.closed) },
	}}
}

// onStore lets checks that read the store be skipped where there is none.
func (d *doctor) onStore(checks []health.Check) []health.Check {
	if d.st == nil {
		for i := range checks {
			checks[i].Look = func(context.Context) health.Finding { return health.Unseen("the store could not be opened") }
		}
	}
	return checks
}

// clients gives the clients of all tenants.
func (d *doctor) clients(ctx context.Context) ([]oauth.Client, error) {
	list, err := d.tenants(ctx)
	if err != nil {
		return nil, err
	}
	var out []oauth.Client
	for _, t := range list {
		some, err := d.st.Clients(ctx, t)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

func (d *doctor) tenants(ctx context.Context) ([]string, error) {
	rows, err := d.st.Tenants(ctx)
	out := []string{tenants.Default}
	for _, t := range rows {
		out = append(out, t.ID)
	}
	return out, err
}
