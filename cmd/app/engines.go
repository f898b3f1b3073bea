package app

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/embedded"
	"github.com/mandate-health/mandate/store/postgres"
)

// migrationLimit bounds one migration, which may take far longer than a
// request.
const migrationLimit = time.Hour

// reportLimit bounds one query of a report on a replica.
const reportLimit = time.Minute

// openStore opens the store of the configuration and what encrypts it. Only
// development reads what an older version stored unencrypted.
func (a *App) openStore(ctx context.Context) (err error) {
	if a.provider, err = openKeys(ctx, a.cfg, a.clock, true); err != nil {
		return err
	}
	a.envelope = keys.NewEnvelope(keys.EnvelopeConfig{Provider: a.provider, Clock: a.clock, AcceptPlain: a.cfg.Dev})
	o := store.Options{IDs: a.ids, Clock: a.clock, Sealer: a.envelope}
	if a.journal != nil {
		o.Journal = a.journal
	}
	a.store, err = openSealed(ctx, a.cfg, o)
	return err
}

func openSealed(ctx context.Context, cfg Config, o store.Options) (*store.Store, error) {
	engine, err := openEngine(ctx, cfg, 0)
	if err != nil {
		return nil, err
	}
	st := store.New(engine, o)
	if err = migrate(ctx, cfg, st); err == nil {
		err = st.MeetNodes(ctx)
	}
	if err == nil {
		err = st.OpenAllKeys(ctx)
	}
	if err != nil {
		_ = st.Close()
		return nil, err
	}
	return st, nil
}

// migrate applies what is missing. On PostgreSQL it does so on connections of
// its own, whose statements may run for longer.
func migrate(ctx context.Context, cfg Config, st *store.Store) error {
	plan, err := st.Plan(ctx, 0)
	if err != nil || len(plan) == 0 {
		return err
	}
	if cfg.Database == "" {
		return st.Migrate(ctx)
	}
	engine, err := openEngine(ctx, cfg, migrationLimit)
	if err != nil {
		return err
	}
	patient := store.New(engine, store.Options{})
	err = patient.Migrate(ctx)
	return errors.Join(err, patient.Close())
}

// openEngine opens the configured engine; limit bounds one transaction on
// PostgreSQL, 0 means its default.
func openEngine(ctx context.Context, cfg Config, limit time.Duration) (store.Engine, error) {
	if cfg.Database == "" {
		return embedded.Open(ctx, embedded.Config{Dir: cfg.Data, Empty: cfg.Reset})
	}
	engine, err := postgres.Open(ctx, postgres.Options{
		DSN: cfg.Database, MaxConns: cfg.DatabaseConnections, Pooler: cfg.DatabasePooler, Timeout: limit,
		Unverified: cfg.DatabasePlaintext || cfg.Dev,
	})
	if errs.Is(err, errs.Unavailable) {
		err = errs.Wrap(err, errs.Unavailable, "database-unreachable", "The PostgreSQL"+hostOf(cfg.Database)+" cannot be reached: check that it runs and that --database is right.")
	}
	return engine, err
}

// openReports gives what long reports are read from.
func openReports(ctx context.Context, cfg Config, st *store.Store) (*store.Reports, error) {
	if cfg.DatabaseReports == "" {
		return store.NewReports(st, nil), nil
	}
	replica, err := postgres.Open(ctx, postgres.Options{
		DSN: cfg.DatabaseReports, MaxConns: cfg.DatabaseConnections, Pooler: cfg.DatabasePooler, Timeout: reportLimit,
		Replica: true, Unverified: cfg.DatabasePlaintext || cfg.Dev,
	})
	if err != nil {
		return nil, err
	}
	return store.NewReports(st, replica), nil
}

// hostOf names the host of a database URL, which also holds a password.
func hostOf(dsn string) string {
	if u, err := url.Parse(dsn); err == nil && u.Host != "" {
		return " at " + u.Host
	}
	return ""
}
