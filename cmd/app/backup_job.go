package app

import (
	"context"
	"io"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/jobs"
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

// backupLook is how often a server looks whether a backup is due: the newest in
// the place decides, so one that failed is tried again soon.
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
	return err
}
