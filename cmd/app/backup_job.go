package app

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/jobs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/telemetry"
	tenants "github.com/mandate-health/mandate/internal/tenant"
	"github.com/mandate-health/mandate/store"
)

// backups makes backups of one store.
type backups struct {
	store *store.Store
	place backup.Place
	key   backup.WriterKey
	clock clock.Clock
	ids   ids.Source
}

// made is a backup that was written and read back.
type made struct {
	backup.Kept
	backup.Total
}

// make writes one backup and checks what the place then holds.
func (b backups) make(ctx context.Context) (made, error) {
	var m made
	h := backup.Header{
		ID: b.ids.ID(), Taken: b.clock.Now().Truncate(time.Microsecond), Program: Version, Engine: b.store.Engine(), Key: b.key.ID,
	}
	kept, err := b.place.Put(ctx, h, func(out io.Writer) error {
		w, err := backup.NewWriter(out, b.key, h)
		if err != nil {
			return err
		}
		if err := b.store.Dump(ctx, w); err != nil {
			return err
		}
		m.Total, err = w.Close()
		return err
	})
	if err != nil {
		return m, err
	}
	m.Kept = kept
	return m, backup.Check(ctx, b.place, kept, b.key.Verifier())
}

// event tells the audit log of a backup: it is a disclosure of everything to
// whoever holds the reader key.
func (m made) event(now time.Time) audit.Event {
	return audit.Event{
		Tenant: tenants.Default, Time: now, Kind: audit.BackupMade, Action: "R", Outcome: audit.Success,
		Detail: map[string]string{"backup": m.ID, "key": m.Key}, Count: int(m.Rows),
	}
}

// backupLook is the longest time between two looks whether a backup is due: the
// newest in the place decides, so one that failed is tried again soon.
const backupLook = 5 * time.Minute

// backup makes the scheduled backup when it is due, and deletes old ones.
func (a *App) backup(ctx context.Context, _ jobs.Turn) error {
	cfg := a.cfg.Backup
	place, err := openBackups(ctx, cfg.To, cfg.hold())
	if err != nil {
		return err
	}
	key, err := backup.LoadWriter(cfg.Key)
	if err != nil {
		return err
	}
	all, err := place.List(ctx)
	if err != nil {
		return err
	}
	if len(all) > 0 && a.clock.Now().Sub(all[0].Taken) < cfg.Every {
		return nil
	}
	began := a.clock.Now()
	m, err := backups{store: a.store, place: place, key: key, clock: a.clock, ids: a.ids}.make(ctx)
	if err != nil {
		return err
	}
	a.log.InfoContext(ctx, "backup made", "backup", m.ID, "file", m.Path, "rows", m.Rows, "bytes", m.Size, "seconds", int(a.clock.Now().Sub(began).Seconds()))
	if err := a.store.AppendAudit(ctx, m.event(a.clock.Now())); err != nil {
		return err
	}
	gone, err := backup.Prune(ctx, place, cfg.retention(), a.clock.Now(), key.Verifier())
	for _, k := range gone {
		a.log.InfoContext(ctx, "old backup deleted", "backup", k.ID, "file", k.Path)
	}
	if err != nil {
		return err
	}
	return a.pruneJournal(ctx, place, key)
}

// coveredFor is by how much a segment must be older than every backup: a restore
// looks an hour back, and clocks differ.
const coveredFor = 2 * time.Hour

// covered gives the segments of which no backup that is kept needs a line: each
// holds what they say itself, and the time for which backups stay has passed.
// own is the segment of this process.
func covered(heads []journal.Head, kept []backup.Kept, now time.Time, keep time.Duration, own string) (gone []journal.Head, before time.Time) {
	if len(kept) == 0 {
		return nil, before
	}
	before = now.Add(-keep)
	for _, k := range kept {
		if at := k.Taken.Add(-coveredFor); at.Before(before) {
			before = at
		}
	}
	for _, h := range heads {
		if h.Segment != own && !h.At.IsZero() && h.At.Before(before) {
			gone = append(gone, h)
		}
	}
	return gone, before
}

// pruneJournal deletes the segments of the revocation journal that no restore
// can need, after a backup that was written and read back. It is recorded first.
func (a *App) pruneJournal(ctx context.Context, backups backup.Place, key backup.WriterKey) error {
	if a.journal == nil {
		return nil
	}
	kept, err := backups.List(ctx)
	if err != nil {
		return err
	}
	place, err := openJournalPlace(ctx, a.cfg.Backup.Journal, hold{}, a.clock, false)
	if err != nil {
		return err
	}
	heads, err := journal.Heads(ctx, place, key.Verifier())
	if err != nil {
		return err
	}
	now := a.clock.Now()
	gone, before := covered(heads, kept, now, a.cfg.Backup.KeepFor, a.journal.Head().Segment)
	if len(gone) == 0 {
		return nil
	}
	err = a.store.AppendAudit(ctx, audit.Event{
		Tenant: tenants.Default, Time: now, Kind: audit.JournalPruned, Action: "D", Outcome: audit.Success,
		Detail: map[string]string{"before": before.UTC().Format(time.RFC3339)}, Count: len(gone),
	})
	if err != nil {
		return err
	}
	for _, h := range gone {
		if err := place.Segments.Remove(ctx, h.Segment); err != nil {
			return errs.Wrap(err, errs.Unavailable, "revocation-journal-not-deleted", fmt.Sprintf("The old segment %s of the revocation journal cannot be deleted.", h.Segment))
		}
	}
	a.log.InfoContext(ctx, "old segments of the revocation journal deleted", "count", len(gone), "until", before)
	return a.store.ForgetSegments(ctx, before)
}

// backupAge remembers the newest backup for the metrics: asking the place at
// each look would be many requests to an object store.
type backupAge struct {
	mu    sync.Mutex
	asked time.Time
	taken time.Time
}

// backupGauges tell how old the newest backup is.
func (a *App) backupGauges() []telemetry.Gauge {
	return []telemetry.Gauge{{
		Name: "mandate_backup_age_seconds", Help: "Age of the newest backup, as of at most five minutes ago; absent where none is scheduled or there is none yet.",
		Read: func(ctx context.Context) (map[string]float64, error) {
			if a.cfg.Backup.To == "" {
				return nil, nil //nolint:nilnil // no schedule, no value
			}
			taken, err := a.newestBackup(ctx)
			if err != nil || taken.IsZero() {
				return nil, err
			}
			return map[string]float64{"": a.clock.Now().Sub(taken).Seconds()}, nil
		},
	}}
}

func (a *App) newestBackup(ctx context.Context) (time.Time, error) {
	b := &a.backupAge
	b.mu.Lock()
	defer b.mu.Unlock()
	now := a.clock.Now()
	if !b.asked.IsZero() && now.Sub(b.asked) < backupLook && !now.Before(b.asked) {
		return b.taken, nil
	}
	k, err := newest(ctx, a.cfg.Backup.To)
	if err != nil && !errs.Is(err, errs.NotFound) {
		return time.Time{}, err
	}
	b.asked, b.taken = now, k.Taken
	return b.taken, nil
}
