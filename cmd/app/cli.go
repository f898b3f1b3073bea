package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/alecthomas/kong"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/ids"
)

// Version is the version of this build.
const Version = "0.1.0-dev"

// commands is the command line.
type commands struct {
	Dev       devCommand       `cmd:"" help:"Run everything on this machine: demo people, demo apps, a sandbox FHIR server."`
	Serve     serveCommand     `cmd:"" help:"Run in front of a real FHIR server."`
	Migrate   migrateCommand   `cmd:"" help:"Look at and change the tables of the store."`
	Keys      keysCommand      `cmd:"" help:"List, rotate, split and destroy keys."`
	Account   accountCommand   `cmd:"" help:"Manage the accounts of people."`
	Passwords passwordsCommand `cmd:"" help:"Look after what passwords may be."`
	Audit     auditCommand     `cmd:"" help:"Verify the audit log and prove what stands in it."`
	Backup    backupCommand    `cmd:"" help:"Make, check and rehearse backups."`
	Restore   restoreCommand   `cmd:"" help:"Restore a backup into a new store, without bringing back what was revoked since."`
	Config    configCommand    `cmd:"" help:"Check, print and explain the configuration."`
	Client    clientCommand    `cmd:"" help:"Manage the registered apps and services."`
	Grant     grantCommand     `cmd:"" help:"List and end what people allowed apps."`
	Consent   consentCommand   `cmd:"" help:"Try and check Consents."`
	Explain   explainCommand   `cmd:"" help:"Tell why a request is allowed or refused: rule, scope, consent and relationship."`
	Watermark watermarkCommand `cmd:"" help:"Trace a copy of a record by its number."`
	Replay    replayCommand    `cmd:"" help:"Decide recorded requests again under another policy, before it is saved."`
	Launch    launchCommand    `cmd:"" help:"Register, list and end launch contexts, as an EHR does."`
	Lifecycle lifecycleCommand `cmd:"" help:"Tell what can happen to the access of a person who helps with a record."`
	Packs     packsCommand     `cmd:"" help:"List, show, check and compare jurisdiction packs: what the law of a place says, as data."`
	Brand     brandCommand     `cmd:"" help:"Publish the brands by which apps show people where to connect."`
	Tenant    tenantCommand    `cmd:"" help:"Manage the organizations that one process serves apart from one another."`
	Doctor    doctorCommand    `cmd:"" help:"Look for what is wrong with a server, its settings, its machine and what is around it."`
	Jobs      jobsCommand      `cmd:"" help:"Look after work that waits, such as notices to people."`
	TLS       tlsCommand       `cmd:"" name:"tls" help:"Help with the server's certificate and key pins."`
	UDAP      udapCommand      `cmd:"" name:"udap" help:"Show trust communities, and check a certificate by them."`
	IDP       idpCommand       `cmd:"" name:"idp" help:"Look after sign-in at other identity providers."`
	Operator  operatorCommand  `cmd:"" help:"Say who may administer the database, keep the keys, audit and operate."`
	Routes    routesCommand    `cmd:"" help:"List every route with its authentication, data class and owner."`
	Selftest  selftestCommand  `cmd:"" help:"Check a SMART on FHIR server from outside: this one, or any other."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
}

type devCommand struct {
	configured
	Reset     bool   `help:"Begin with an empty store."`
	TLS       bool   `name:"tls" help:"Serve HTTPS under a self-made authority; the ready file names its certificate."`
	ReadyFile string `name:"ready-file" help:"Write a JSON description when ready." placeholder:"FILE"`
	Families  bool   `default:"true" negatable:"" help:"Add families at every place of the life cycle of helping (default yes; --no-families leaves them out)."`
}

type serveCommand struct {
	configured
}

type routesCommand struct {
	JSON    bool `name:"json" help:"Print as JSON."`
	OpenAPI bool `name:"openapi" help:"Print the OpenAPI document of the administration and launch API, as a server gives it at /docs/openapi.json."`
}

type versionCommand struct{}

// streams is where a command reads and writes.
type streams struct {
	ctx context.Context
	in  io.Reader
	out io.Writer
	err io.Writer
	files
	// given names the flags that were set.
	given map[string]bool
	// served is the running server inside which the command acts, for the user
	// peer of this machine; nil where the command opens the store itself.
	served *App
	peer   string
}

// ended tells how a command ended and gives the exit status.
func (s *streams) ended(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errWouldChange):
		return 3
	case !errors.Is(err, errFailedChecks):
		fmt.Fprintf(s.err, "mandate: %v\n", err)
	}
	return 1
}

// CLI runs the command line and gives the exit status: 0 when all went well,
// 1 when the command failed, 2 when it was not understood, 3 when a replay found
// differences.
func CLI(ctx context.Context, args []string, out, errOut io.Writer) int {
	var cli commands
	code := -1
	parser, err := kong.New(&cli, kong.Name("mandate"), kong.Writers(out, errOut), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Description("Mandate decides who may touch which part of whose health record: a SMART on FHIR authorization server."),
		kong.Exit(func(c int) { code = c }))
	if err != nil {
		fmt.Fprintln(errOut, err)
		return 2
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	if args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	run, err := parser.Parse(args)
	if code >= 0 {
		return code
	}
	if err != nil {
		fmt.Fprintf(errOut, "mandate: %v\nTry: %s --help\n", err, understood(err))
		return 2
	}
	s := &streams{ctx: ctx, in: os.Stdin, out: out, err: errOut, files: ownFiles{}, given: givenFlags(run)}
	if exit, done := s.inside(run.Selected()); done {
		return exit
	}
	return s.ended(run.Run(s))
}

// understood gives as much of a command line as named a command.
func understood(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context != nil {
		if node := wrong.Context.Selected(); node != nil {
			return node.FullPath()
		}
	}
	return "mandate"
}

// Run starts the development server.
func (c *devCommand) Run(s *streams) error {
	c.Settings.Dev = true
	loaded, err := c.load(s)
	if err != nil {
		return err
	}
	return Run(s.ctx, c.completed(loaded))
}

// completed gives the settings with what only a development server has.
func (c *devCommand) completed(loaded *config.Loaded) Config {
	cfg := c.Settings
	if loaded.Origin("http.drain_delay") == "default" {
		cfg.HTTP.DrainDelay = 0 // nobody balances a development server
	}
	if loaded.Origin("app_state") == "default" {
		cfg.AppState = true
	}
	if loaded.Origin("udap.crl_refresh") == "default" {
		cfg.UDAP.CRLRefresh = devCRLRefresh // nobody who tries it wants to wait
	}
	if cfg.Organization == "" {
		cfg.Organization, cfg.OrganizationRef = "Lakeside Palliative Care", "Organization/lakeside-palliative"
	}
	cfg.Reset, cfg.TLS, cfg.ReadyFile, cfg.Families = c.Reset, c.TLS, c.ReadyFile, c.Families
	return cfg
}

// Run starts the production server.
func (c *serveCommand) Run(s *streams) error {
	if _, err := c.load(s); err != nil {
		return err
	}
	return Run(s.ctx, c.Settings)
}

// Run prints the routes.
func (c *routesCommand) Run(s *streams) error {
	return printRoutes(s.ctx, s.out, *c)
}

// errFailedChecks says that the report already told what failed.
var errFailedChecks = errors.New("checks failed")

// Run prints the version.
func (versionCommand) Run(s *streams) error {
	fmt.Fprintln(s.out, "mandate", Version)
	return nil
}

func constantEqual(a, b string) bool { return ids.Equal(a, b) }
