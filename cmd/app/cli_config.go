package app

import (
	"errors"
	"fmt"
	"os"

	"github.com/alecthomas/kong"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/telemetry"
)

// configured is a command that takes the settings of the server, from the
// command line, the environment and the configuration file.
type configured struct {
	ConfigFile string `name:"config" help:"Configuration file (TOML); see mandate config example." placeholder:"FILE" type:"existingfile"`
	// Settings has a name of its own so that the command line does not judge
	// it before the file and the environment were read.
	Settings Config `embed:""`
}

// givenFlags names the flags that the command line set, which win over the
// environment and the file.
func givenFlags(run *kong.Context) map[string]bool {
	given := map[string]bool{}
	for _, p := range run.Path {
		if p.Flag != nil && !p.Resolved {
			given[p.Flag.Name] = true
		}
	}
	return given
}

// load fills the settings and opens the log. Errors: every fault at once.
func (c *configured) load(s *streams) (*config.Loaded, error) {
	if c.ConfigFile == "" {
		c.ConfigFile = os.Getenv(config.EnvPrefix + "CONFIG")
	}
	loaded, err := config.Load(&c.Settings, config.Sources{File: c.ConfigFile, Environ: os.Environ(), Given: s.given})
	c.Settings.Out = s.out
	c.Settings.Log = telemetry.NewLogger(s.err, c.Settings.Logging)
	for _, w := range loaded.Warnings {
		c.Settings.Log.WarnContext(s.ctx, "configuration", "remark", w)
	}
	return loaded, err
}

// configCommand explains the configuration.
type configCommand struct {
	Check   configCheck   `cmd:"" help:"Read everything and tell every fault; starts nothing."`
	Print   configPrint   `cmd:"" help:"Print every setting with its value and where it came from; secrets are left out."`
	Rules   configRules   `cmd:"" help:"Print every rule of the decision point with its mode."`
	Example configExample `cmd:"" help:"Print a configuration file with every setting explained."`
}

type configCheck struct {
	configured
	Dev bool `help:"Check as for mandate dev."`
}

type configPrint struct {
	configured
	Dev bool `help:"Check as for mandate dev."`
}

type configExample struct {
	Markdown bool `hidden:"" help:"Print the table of the documentation."`
	Metrics  bool `hidden:"" help:"Print the table of the metrics."`
}

// Run checks the configuration.
func (c *configCheck) Run(s *streams) error {
	c.Settings.Dev = c.Dev
	loaded, err := c.load(s)
	if err = errors.Join(err, c.Settings.checkClientFiles()); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d settings, no fault\n", len(loaded.Settings))
	return nil
}

// Run prints the settings.
func (c *configPrint) Run(s *streams) error {
	c.Settings.Dev = c.Dev
	loaded, err := c.load(s)
	loaded.Print(s.out)
	return err
}

// Run prints the example.
func (c *configExample) Run(s *streams) error {
	switch {
	case c.Metrics:
		telemetry.WriteMarkdown(s.out, metricNames())
	case c.Markdown:
		config.Markdown(s.out, &Config{})
	default:
		config.Example(s.out, &Config{})
	}
	return nil
}
