package app

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/telemetry"
)

// openJournal begins a segment of the revocation journal, a lazy one with its
// first line only. Without one configured it gives nil.
func openJournal(ctx context.Context, cfg BackupConfig, clk clock.Clock, src ids.Source, lazy bool) (*journal.Journal, error) {
	if cfg.Journal == "" {
		return nil, nil
	}
	key, err := backup.LoadWriter(cfg.Key)
	if err != nil {
		return nil, err
	}
	place, err := openJournalPlace(ctx, cfg.Journal, cfg.hold(), clk, lazy)
	if err != nil {
		return nil, err
	}
	return journal.Open(journal.Config{Place: place, Key: key.Signer(), Clock: clk, IDs: src, Lazy: lazy})
}

const (
	// tendEvery is how often a server looks for revocations that no process
	// brought to the journal; beatEvery how often it says that it still does.
	tendEvery = 2 * time.Second
	beatEvery = 30 * time.Second
	// beatLimit is how long a beat may take.
	beatLimit = 5 * time.Second
)

// settleJournal brings to the journal what a killed process left, before
// anybody is answered, and goes on doing so until ctx ends.
func (a *App) settleJournal(ctx context.Context) error {
	if a.journal == nil {
		heads, err := a.store.JournalHeads(ctx)
		if err == nil && len(heads) > 0 {
			a.log.WarnContext(ctx, "started without the revocation journal of this store: a restore would not know what is revoked now",
				"setting", "backup.revocation_journal")
		}
		return err
	}
	if err := a.store.TendJournal(ctx, true); err != nil {
		return err
	}
	go a.tendJournal(ctx)
	return nil
}

// tendJournal beats, and brings what others left. While the journal cannot be
// written it tries at every look and says so at every beat.
func (a *App) tendJournal(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	beaten, told := a.clock.Now(), time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := a.clock.Now()
		var err error
		if now.Sub(beaten) >= beatEvery || now.Before(beaten) || a.journal.Trouble() != nil {
			beaten = now
			err = a.beat(ctx)
		}
		if err == nil {
			err = a.store.TendJournal(ctx, false)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && !told.IsZero():
			a.log.InfoContext(ctx, "the revocation journal is written again", "since", told)
			told = time.Time{}
		case err != nil && (now.Sub(told) >= beatEvery || now.Before(told)):
			a.log.ErrorContext(ctx, "revocations not brought to the journal: they are in force, and callers are told that nothing is sure", "err", err)
			told = now
		}
	}
}

func (a *App) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beatLimit)
	defer cancel()
	return a.journal.Beat(ctx)
}

// closeJournal notes how far the journal has come and ends its segment.
func (a *App) closeJournal(ctx context.Context) {
	if a.journal == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.HTTP.complete().DrainTimeout)
	defer cancel()
	if err := a.store.TendJournal(ctx, true); err != nil {
		a.log.ErrorContext(ctx, "revocations not brought to the journal", "err", err)
	}
	if err := a.journal.Close(); err != nil {
		a.log.ErrorContext(ctx, "revocation journal not closed", "err", err)
	}
}

// endCommand ends the segment of a command that revoked something, and tells
// one that had no journal what that means.
func (a *App) endCommand(ctx context.Context, errOut io.Writer) {
	if a.journal != nil {
		if a.journal.Head().Line > 0 {
			a.closeJournal(ctx)
		}
		return
	}
	n := a.store.Unjournaled()
	if n == 0 {
		return
	}
	if heads, err := a.store.JournalHeads(ctx); err == nil && len(heads) > 0 {
		fmt.Fprintf(errOut, "mandate: %d revocations wait until a server brings them to the revocation journal;"+
			" with --config FILE or MANDATE_BACKUP_REVOCATION_JOURNAL this command does so itself\n", n)
	}
}

// journalGauges tell whether the journal has what was revoked.
func (a *App) journalGauges() []telemetry.Gauge {
	lag := func(value func(n int64, since time.Time) float64) func(context.Context) (map[string]float64, error) {
		return func(ctx context.Context) (map[string]float64, error) {
			if a.journal == nil {
				return nil, nil //nolint:nilnil // no journal, no value
			}
			n, since, err := a.store.JournalLag(ctx)
			return map[string]float64{"": value(n, since)}, err
		}
	}
	return []telemetry.Gauge{
		{Name: "mandate_revocation_journal_writable", Help: "0 while the revocation journal cannot be written: revocations are in force, and answered with 503; absent without a journal.", Read: func(context.Context) (map[string]float64, error) {
			if a.journal == nil {
				return nil, nil //nolint:nilnil // no journal, no value
			}
			return map[string]float64{"": number(a.journal.Trouble() == nil)}, nil
		}},
		{Name: "mandate_revocation_journal_waiting", Help: "Revocations that the journal lacks or is not known to have yet; absent without a journal.",
			Read: lag(func(n int64, _ time.Time) float64 { return float64(n) })},
		{Name: "mandate_revocation_journal_lag_seconds", Help: "Age of the oldest of them; some seconds are normal.", Read: lag(func(_ int64, since time.Time) float64 {
			if since.IsZero() {
				return 0
			}
			return max(0, a.clock.Now().Sub(since).Seconds())
		})},
	}
}
