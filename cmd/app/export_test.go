package app

import (
	"context"
	"errors"
	"log/slog"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/store"
)

// OnStore lets a test do what no command does yet, on the store and with the
// journal of a configuration.
func OnStore(ctx context.Context, cfg Config, do func(context.Context, *store.Store) error) (err error) {
	a := &App{cfg: cfg, log: slog.New(slog.DiscardHandler), clock: clock.System{}, ids: ids.Source{}}
	if a.journal, err = openJournal(ctx, cfg.Backup, a.clock, a.ids, true); err != nil {
		return err
	}
	if err := a.openStore(ctx); err != nil {
		return err
	}
	err = do(ctx, a.store)
	a.closeJournal(ctx)
	return errors.Join(err, a.store.Close())
}
