package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"

	"github.com/alecthomas/kong"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/internal/ids"
)

// Version is the version of this build.
const Version = "0.1.0-dev"

// commands is the command line.
type commands struct {
	Dev      devCommand      `cmd:"" help:"Run everything on this machine: demo people, demo apps, a sandbox FHIR server."`
	Serve    serveCommand    `cmd:"" help:"Run in front of a real FHIR server."`
	Account  accountCommand  `cmd:"" help:"Manage the accounts of people."`
	Routes   routesCommand   `cmd:"" help:"List every route with its authentication, data class and owner."`
	Selftest selftestCommand `cmd:"" help:"Run the conformance suite against a running server."`
	Version  versionCommand  `cmd:"" help:"Print the version."`
}

// common are the flags of dev and serve.
type common struct {
	Listen       string   `default:"127.0.0.1:8080" help:"Address to listen on (default ${default})." placeholder:"HOST:PORT"`
	PublicURL    string   `name:"public-url" help:"URL under which browsers and apps reach this server." placeholder:"URL"`
	Data         string   `default:"./mandate-data" help:"Folder of the embedded store (default ${default})." placeholder:"DIR"`
	Database     string   `help:"PostgreSQL URL to use in place of the embedded store." placeholder:"URL"`
	Client       []string `help:"JSON file with clients to register at start; may be repeated." placeholder:"FILE" type:"existingfile"`
	HelpPhone    string   `name:"help-phone" default:"+1 555 0100" help:"Telephone number printed on every page."`
	Organization string   `help:"Name of the organization that runs this server, as people know it." placeholder:"NAME"`
	OrgRef       string   `name:"organization-ref" help:"FHIR reference of that organization, named as custodian in consents." placeholder:"Organization/ID"`
	TrustedProxy []string `name:"trusted-proxy" help:"Network whose X-Forwarded-For is believed; may be repeated." placeholder:"CIDR"`
	Offset       string   `name:"unsafe-clock-offset" help:"File with a duration by which the clock is shifted. For tests only." placeholder:"FILE" type:"existingfile"`
}

type devCommand struct {
	common
	Reset     bool   `help:"Begin with an empty store."`
	TLS       bool   `name:"tls" help:"Serve HTTPS under a self-made authority; the ready file names its certificate."`
	Upstream  string `help:"Protect this FHIR server in place of the sandbox." placeholder:"URL"`
	ReadyFile string `name:"ready-file" help:"Write a JSON description when ready." placeholder:"FILE"`
}

type serveCommand struct {
	common
	Upstream string `required:"" help:"Base URL of the FHIR server to protect." placeholder:"URL"`
	Cert     string `help:"PEM file with the certificate chain." placeholder:"FILE" type:"existingfile"`
	Key      string `help:"PEM file with the private key." placeholder:"FILE" type:"existingfile"`
}

type routesCommand struct {
	JSON bool `name:"json" help:"Print as JSON."`
}

type selftestCommand struct {
	Base      string `help:"FHIR base URL of the server to test." placeholder:"URL"`
	ReadyFile string `name:"ready-file" help:"Ready file of a development server: runs the checks that need log-ins too." placeholder:"FILE" type:"existingfile"`
	Format    string `default:"human" enum:"human,json,junit" help:"human, json or junit."`
}

type versionCommand struct{}

// streams is where a command writes.
type streams struct {
	ctx context.Context
	out io.Writer
	err io.Writer
}

// CLI runs the command line and gives the exit status: 0 when all went well,
// 1 when the command failed, 2 when it was not understood.
func CLI(ctx context.Context, args []string, out, errOut io.Writer) int {
	var cli commands
	code := -1
	parser, err := kong.New(&cli, kong.Name("mandate"), kong.Writers(out, errOut), kong.UsageOnError(),
		kong.Description("Mandate decides who may touch which part of whose health record: a SMART on FHIR authorization server."),
		kong.Exit(func(c int) { code = c }))
	if err != nil {
		fmt.Fprintln(errOut, err)
		return 2
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	run, err := parser.Parse(args)
	if code >= 0 {
		return code
	}
	if err != nil {
		fmt.Fprintf(errOut, "mandate: %v\nTry: mandate --help\n", err)
		return 2
	}
	if err := run.Run(&streams{ctx: ctx, out: out, err: errOut}); err != nil {
		if !errors.Is(err, errFailedChecks) {
			fmt.Fprintf(errOut, "mandate: %v\n", err)
		}
		return 1
	}
	return 0
}

// Run starts the development server.
func (c *devCommand) Run(s *streams) error {
	cfg, err := c.config(s)
	if err != nil {
		return err
	}
	if cfg.Organization == "" {
		cfg.Organization, cfg.OrganizationRef = "Lakeside Palliative Care", "Organization/lakeside-palliative"
	}
	cfg.Dev, cfg.Reset, cfg.TLS, cfg.Upstream, cfg.ReadyFile = true, c.Reset, c.TLS, c.Upstream, c.ReadyFile
	return Run(s.ctx, cfg)
}

// Run starts the production server.
func (c *serveCommand) Run(s *streams) error {
	cfg, err := c.config(s)
	if err != nil {
		return err
	}
	cfg.Upstream, cfg.CertFile, cfg.KeyFile = c.Upstream, c.Cert, c.Key
	return Run(s.ctx, cfg)
}

func (c *common) config(s *streams) (Config, error) {
	cfg := Config{
		Listen: c.Listen, PublicURL: c.PublicURL, Data: c.Data, Database: c.Database, ClientFiles: c.Client,
		HelpPhone: c.HelpPhone, Organization: c.Organization, OrganizationRef: c.OrgRef, ClockOffset: c.Offset, Out: s.out,
		Log: slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
	for _, text := range c.TrustedProxy {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return cfg, fmt.Errorf("--trusted-proxy %q is not a network such as 10.0.0.0/8", text)
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, p)
	}
	return cfg, nil
}

// Run prints the routes.
func (c *routesCommand) Run(s *streams) error {
	return printRoutes(s.ctx, s.out, c.JSON)
}

// errFailedChecks says that the report already told what failed.
var errFailedChecks = errors.New("checks failed")

// Run runs the conformance suite.
func (c *selftestCommand) Run(s *streams) error {
	ok, err := conformance.Main(s.ctx, conformance.Options{Base: c.Base, ReadyFile: c.ReadyFile, Format: c.Format}, s.out)
	if err != nil {
		return err
	}
	if !ok {
		return errFailedChecks
	}
	return nil
}

// Run prints the version.
func (versionCommand) Run(s *streams) error {
	fmt.Fprintln(s.out, "mandate", Version)
	return nil
}

func constantEqual(a, b string) bool { return ids.Equal(a, b) }
