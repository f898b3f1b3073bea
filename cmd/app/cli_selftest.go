package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/config"
	tenants "github.com/mandate-health/mandate/internal/tenant"
)

// selftestCommand runs the black-box suite.
type selftestCommand struct {
	Base      string        `help:"FHIR base URL of the server to check, such as https://ehr.example/fhir." placeholder:"URL"`
	ReadyFile string        `name:"ready-file" help:"Description of that server with clients and people to check it with (see --describe). mandate dev writes one for itself." placeholder:"FILE" type:"existingfile"`
	CAFile    string        `name:"ca-file" help:"PEM file with the authority of the server's certificate; empty means those of the machine." placeholder:"FILE" type:"existingfile"`
	Rows      bool          `help:"Report every requirement of the list, tested or not, in place of the checks. The exit status is 1 while one that binds is open."`
	Only      []string      `help:"Run only these checks, by id of the check or of the requirement, such as AZ-16,REF-03." placeholder:"ID"`
	Format    string        `default:"human" enum:"human,json,junit" help:"human, json or junit."`
	JSON      bool          `name:"json" help:"Same as --format=json."`
	JUnit     string        `name:"junit" help:"Write the report for a build server into this file too." placeholder:"FILE"`
	Timeout   time.Duration `default:"15m" help:"End after this time (default ${default}); what was not reached is reported as not tested."`
	CheckTime time.Duration `name:"check-timeout" default:"90s" help:"A check fails after this time (default ${default})."`
	Describe  bool          `help:"Explain the file for --ready-file and print an example."`
	Quiet     bool          `short:"q" help:"Tell no progress while running."`
}

// Help explains the command to who integrates with a server.
func (selftestCommand) Help() string {
	return `Every check talks HTTP to the server as an app, a browser or a backend service would, and cites the requirement that it proves.

Without --base and --ready-file a development server of this program is started for the time of the run, and nothing stays behind.
With --base alone only what anybody may ask is checked: discovery, keys, capabilities.
With --ready-file the checks sign people in, so use a server for tests: they create data, end connections and, where the file names a clock, move the time.

What a check lacks (a registered client, a person to sign in) it names, and the check is reported as not tested, never as passed.`
}

// Run runs the conformance suite.
func (c *selftestCommand) Run(s *streams) (err error) {
	if c.Describe {
		_, err := io.WriteString(s.out, conformance.Description)
		return err
	}
	o := conformance.Options{
		Base: c.Base, ReadyFile: c.ReadyFile, CAFile: c.CAFile, Format: c.Format, Rows: c.Rows, Only: c.Only, Within: c.Timeout, CheckWithin: c.CheckTime,
	}
	if c.JSON {
		o.Format = "json"
	}
	if !c.Quiet {
		o.Progress = func(x conformance.Result) {
			fmt.Fprintf(s.err, "%-10s  %s\n", x.Status, x.ID)
		}
	}
	if c.JUnit != "" {
		f, err := os.Create(c.JUnit)
		if err != nil {
			return fmt.Errorf("the JUnit report cannot be written: %w", err)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		o.JUnit = f
	}
	if c.Base == "" && c.ReadyFile == "" {
		stop, ready, err := ownServer(s.ctx)
		if err != nil {
			return fmt.Errorf("no development server could be started to be checked: %w", err)
		}
		defer func() { err = errors.Join(err, stop()) }()
		o.ReadyFile = ready
	}
	ok, err := conformance.Main(s.ctx, o, s.out)
	if err != nil {
		return err
	}
	if !ok {
		return errFailedChecks
	}
	return nil
}

// Limits of waiting for the server that is started to be checked.
const (
	ownStart = time.Minute
	ownPoll  = 20 * time.Millisecond
)

// ownServer starts a development server on a free port with a store that stop
// removes, and gives its ready file.
func ownServer(ctx context.Context) (stop func() error, ready string, err error) {
	dir, err := os.MkdirTemp("", "mandate-selftest-")
	if err != nil {
		return nil, "", err
	}
	ready = filepath.Join(dir, "ready.json")
	ctx, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	cfg, extras, err := ownSettings(ctx, dir, ready)
	if err != nil {
		end()
		return nil, "", errors.Join(err, os.RemoveAll(dir))
	}
	go func() { ended <- Run(ctx, cfg) }()
	stop = func() error {
		end()
		return errors.Join(<-ended, os.RemoveAll(dir))
	}
	late, tick := time.NewTimer(ownStart), time.NewTicker(ownPoll)
	defer late.Stop()
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := os.Stat(ready); err == nil {
				if err := extras.Complete(ready); err != nil {
					return nil, "", errors.Join(err, stop())
				}
				return stop, ready, nil
			}
		case err := <-ended:
			ended <- nil
			return nil, "", errors.Join(cmp.Or(err, errors.New("it ended before it was ready")), stop())
		case <-late.C:
			return nil, "", errors.Join(fmt.Errorf("it is not ready after %s", ownStart), stop())
		}
	}
}

// ownSettings are those of the server that is started to be checked, with a
// second tenant and the clients that only the suite needs.
func ownSettings(ctx context.Context, dir, ready string) (Config, *conformance.Extras, error) {
	extras, err := conformance.NewExtras()
	if err != nil {
		return Config{}, nil, err
	}
	clients := filepath.Join(dir, "clients.json")
	if err := extras.WriteClients(clients); err != nil {
		return Config{}, nil, err
	}
	authority := filepath.Join(dir, "clients-ca.pem")
	if err := extras.WriteAuthority(authority); err != nil {
		return Config{}, nil, err
	}
	dev := devCommand{ReadyFile: ready, TLS: true}
	dev.Settings = Config{
		Dev: true, Listen: "127.0.0.1:0", Data: filepath.Join(dir, "data"), ClientFiles: []string{clients}, MTLS: MTLSConfig{CAFile: authority},
		KeySettings: KeySettings{Keys: "file:" + filepath.Join(dir, "keys.json")}, Registration: RegistrationConfig{DocumentHosts: []string{extras.DocumentHost()}},
	}
	// Neither the environment nor a file counts: they may name a database that
	// must not be filled with demo people.
	given := map[string]bool{"listen": true, "data": true, "keys": true, "client": true, "mtls-ca": true, "client-document-host": true}
	loaded, err := config.Load(&dev.Settings, config.Sources{Given: given})
	if err != nil {
		return Config{}, nil, err
	}
	second := tenants.Tenant{
		ID: conformance.ExtraTenant, Name: "Second", Upstream: "http://127.0.0.1:9/fhir", State: tenants.Active, Created: clock.System{}.Now(),
	}
	quiet := &streams{ctx: ctx, out: io.Discard, err: io.Discard}
	err = onStore(quiet, dev.Settings, func(a *App) error { return a.addTenant(quiet, second, "") })
	return dev.completed(loaded), extras, err
}
