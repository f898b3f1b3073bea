package app

import (
	"log/slog"
	"maps"
	"os"
	"strings"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/ids"
)

// storeFlags say which store a command works on and how it is reached. What is
// not given comes from the environment and the configuration file of the
// server.
type storeFlags struct {
	ConfigFile  string `name:"config" help:"Configuration file of the server (TOML)." placeholder:"FILE" type:"existingfile"`
	Data        string `default:"./mandate-data" help:"Folder of the embedded store (default ${default}). A server that has it open does the work itself, where it can." placeholder:"DIR"`
	Database    string `help:"PostgreSQL URL to use in place of the embedded store; may name several hosts." placeholder:"URL"`
	Pooler      bool   `name:"database-pooler" help:"The database URL leads to a transaction pooler such as PgBouncer."`
	Connections int    `name:"database-connections" default:"0" help:"Greatest number of connections to PostgreSQL." placeholder:"N"`
	KeySettings
	Plaintext bool `name:"unsafe-database-plaintext" help:"Allow PostgreSQL on another machine without verified TLS."`
}

// load gives the configuration in which the store is described. Errors: every
// fault of it at once.
func (f storeFlags) load(s *streams) (Config, error) {
	if f.ConfigFile == "" {
		f.ConfigFile = os.Getenv(config.EnvPrefix + "CONFIG")
	}
	// As for development: what only serve needs may be missing here.
	cfg := Config{
		Dev: true, Data: f.Data, Database: f.Database, DatabasePooler: f.Pooler,
		DatabaseConnections: f.Connections, DatabasePlaintext: f.Plaintext,
		KeySettings: f.KeySettings,
	}
	// What a command calls as a setting of backups is called is its own: the
	// reader key is not that of the server.
	given := maps.Clone(s.given)
	maps.DeleteFunc(given, func(name string, _ bool) bool {
		return strings.HasPrefix(name, "backup-") || name == "revocation-journal"
	})
	_, err := config.Load(&cfg, config.Sources{File: f.ConfigFile, Environ: os.Environ(), Given: given})
	cfg.Dev = false
	return cfg, err
}

// with opens the store for one command and closes it again, or lends that of the
// running server. Errors are told by
// their sentence.
func (f storeFlags) with(s *streams, run func(*App) error) error {
	return f.withConfig(s, func(*Config) {}, run)
}

// withConfig is with under a configuration that change has changed.
func (f storeFlags) withConfig(s *streams, change func(*Config), run func(*App) error) error {
	if s.served != nil {
		return explained(run(s.served))
	}
	cfg, err := f.load(s)
	if err != nil {
		return err
	}
	change(&cfg)
	return onStore(s, cfg, run)
}

// onStore opens the store that a configuration describes for one act and closes
// it again. Errors are told by their sentence.
func onStore(s *streams, cfg Config, run func(*App) error) (err error) {
	if err := cfg.mayMakeKeys(); err != nil {
		return explain(err)
	}
	known, err := cfg.Passwords.breached()
	if err != nil {
		return explain(err)
	}
	log := slog.New(slog.NewTextHandler(s.err, nil))
	a := &App{cfg: cfg, log: log, clock: clock.System{}, ids: ids.Source{}, passwords: cfg.Passwords.hasher(ids.Source{}, known)}
	// A command revokes as a server does: it is in the journal before the
	// command says that it is done.
	if a.journal, err = openJournal(s.ctx, cfg.Backup, a.clock, a.ids, true); err != nil {
		return explain(err)
	}
	if err = a.openStore(s.ctx); err != nil {
		return explain(err)
	}
	defer closing(s.ctx, a.store, log)
	defer a.endCommand(s.ctx, s.err)
	if a.ring, err = newRing(a.store, a.clock, a.provider, cfg.KeySettings); err != nil {
		return explain(err)
	}
	return explained(run(a))
}
