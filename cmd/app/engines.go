package app

import (
	"context"
	"net/url"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/store"
	"github.com/mandate-health/mandate/store/embedded"
	"github.com/mandate-health/mandate/store/postgres"
)

// openStore opens the configured engine and brings its schema up to date.
func openStore(ctx context.Context, cfg Config, c clock.Clock, src ids.Source) (*store.Store, error) {
	engine, err := openEngine(ctx, cfg)
	if err != nil {
		return nil, err
	}
	st := store.New(engine, store.Options{IDs: src, Clock: c})
	if err := st.Migrate(ctx); err != nil {
		_ = st.Close()
		return nil, err
	}
	return st, nil
}

func openEngine(ctx context.Context, cfg Config) (store.Engine, error) {
	if cfg.Database != "" {
		engine, err := postgres.Open(ctx, postgres.Options{DSN: cfg.Database})
		if errs.Is(err, errs.Unavailable) {
			err = errs.Wrap(err, errs.Unavailable, "database-unreachable", "The PostgreSQL"+hostOf(cfg.Database)+" cannot be reached: check that it runs and that --database is right.")
		}
		return engine, err
	}
	return embedded.Open(ctx, embedded.Config{Dir: cfg.Data, Empty: cfg.Reset})
}

// hostOf names the host of a database URL, which also holds a password.
func hostOf(dsn string) string {
	if u, err := url.Parse(dsn); err == nil && u.Host != "" {
		return " at " + u.Host
	}
	return ""
}
