package app

import (
	"context"
	"fmt"
	"time"

	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/store"
)

// counting looks at a backup without keeping it (backup.Visitor).
type counting struct {
	manifest backup.Manifest
	table    string
	rows     map[string]int64
}

// Begin implements backup.Visitor.
func (c *counting) Begin(m backup.Manifest) error {
	c.manifest, c.rows = m, map[string]int64{}
	return nil
}

// Table implements backup.Visitor.
func (c *counting) Table(t backup.Table) error {
	c.table = t.Name
	return nil
}

// Row implements backup.Visitor.
func (c *counting) Row([]any) error { return nil }

// End implements backup.Visitor.
func (c *counting) End(rows int64) error {
	c.rows[c.table] = rows
	return nil
}

// examine reads a whole backup: each chunk, each sum, the signature.
func examine(ctx context.Context, from chosen, key backup.ReaderKey) (counting, backup.Total, error) {
	var c counting
	file, err := from.place.Open(ctx, from.Kept)
	if err != nil {
		return c, backup.Total{}, err
	}
	defer file.Close()
	_, total, err := backup.Read(file, key, &c)
	return c, total, err
}

// restoring is one restore of one backup into one store.
type restoring struct {
	from  chosen
	key   backup.ReaderKey
	store *store.Store
	clock clock.Clock
	// journal is the place of the revocation journal, which must reach to
	// lost unless that is zero; everything revokes all there is in its place.
	journal    string
	lost       time.Time
	everything bool
	rooms      rooms
	// step is told of each step as it begins.
	step func(string)
}

// restored is what a restore did.
type restored struct {
	Total backup.Total
	// Rows are the rows of each table as the backup counts them.
	Rows map[string]int64
	// Replayed is how many revocations of the journal were newer than the
	// backup; Until is how far the journal reaches.
	Replayed replayed
	Until    time.Time
	// Open are the segments that have no last line: of servers that were
	// killed, or of ones that still run.
	Open  []string
	Opens time.Time
	// lines are all entries of the journal.
	lines []journal.Line
}

// run verifies the backup, loads it, revokes again what was revoked since, and
// only then lets the store be served.
func (r restoring) run(ctx context.Context) (out restored, err error) {
	r.step("reading the whole backup")
	inside, total, err := examine(ctx, r.from, r.key)
	if err != nil {
		return out, err
	}
	out.Total, out.Rows = total, inside.rows
	r.step("reading the revocation journal")
	content, err := r.revocations(ctx, inside.manifest)
	if err != nil {
		return out, err
	}
	r.step("loading")
	err = r.store.Load(ctx, r.from.Header, inside.manifest, func(v backup.Visitor) error {
		file, err := r.from.place.Open(ctx, r.from.Kept)
		if err != nil {
			return err
		}
		defer file.Close()
		_, _, err = backup.Read(file, r.key, v)
		return err
	})
	if err != nil {
		return out, err
	}
	r.step("opening the keys of the store")
	if err := r.store.OpenAllKeys(ctx); err != nil {
		return out, err
	}
	r.step("ending codes, refresh tokens and access tokens")
	if err := r.store.Disarm(ctx, r.everything); err != nil {
		return out, err
	}
	r.step("revoking again what was revoked since")
	p := replay{store: r.store, rooms: r.rooms, clock: r.clock, heads: inside.manifest.Journal}
	if r.everything {
		out.Replayed, err = p.everything(ctx)
	} else {
		out.Replayed, err = p.run(ctx, content.Entries)
	}
	if err != nil {
		return out, err
	}
	return out, r.finish(ctx, content, &out)
}

func (r restoring) finish(ctx context.Context, content journal.Content, out *restored) error {
	out.Until, out.Open, out.lines = content.Until, content.Open, content.Entries
	out.Opens = content.Until.Add(settle)
	if r.everything {
		out.Opens = r.clock.Now().Add(settle)
	}
	v, err := r.store.Restored(ctx)
	if err != nil {
		return err
	}
	return r.store.FinishRestore(ctx, v.ID, out.Opens, content.Heads)
}

// revocations reads the journal, and refuses what cannot tell all that was
// revoked since the backup.
func (r restoring) revocations(ctx context.Context, m backup.Manifest) (journal.Content, error) {
	const instead = " To restore all the same, give --revoke-everything: every grant, log-in and refresh token then ends."
	if r.everything {
		return journal.Content{}, nil
	}
	if r.journal == "" {
		return journal.Content{}, errs.New(errs.Unprocessable, "restore-without-journal",
			"Without the revocation journal, what was revoked after the backup would come back. Give its place with --revocation-journal."+instead)
	}
	if len(m.Journal) == 0 {
		return journal.Content{}, errs.New(errs.Unprocessable, "restore-without-journal",
			"When this backup was made the server kept no revocation journal, so no journal can tell what was revoked since."+instead)
	}
	place, err := openJournalPlace(ctx, r.journal, hold{}, r.clock, false)
	if err != nil {
		return journal.Content{}, err
	}
	c, err := journal.Read(ctx, place, r.key.Verifier(), m.Journal, r.from.Taken.Add(-time.Hour))
	if e := errs.As(err); err != nil {
		return c, errs.Wrap(err, e.Kind, e.Code, e.Msg+instead)
	}
	if c.Until.Before(r.lost.Add(-2 * beatEvery)) {
		return c, errs.New(errs.Unprocessable, "revocation-journal-short", fmt.Sprintf(
			"The revocation journal reaches only to %s and its servers write every %s: it was cut, or could not be written towards the end.",
			c.Until.Format(time.RFC3339), beatEvery)+instead)
	}
	return c, nil
}
