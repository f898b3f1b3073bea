package app

import (
	"context"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/backup/bucket"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/health"
	"github.com/mandate-health/mandate/internal/journal"
)

// backupChecks ask whether everything would come back after a loss, and nothing
// that was revoked (SG-08, SG-09).
func (d *doctor) backupChecks() []health.Check {
	c := d.cfg.Backup
	return append([]health.Check{
		ask("backup-scheduled", "whether the server makes backups", "set backup.to and backup.key_file; see docs/operations/backup.md", func() health.Finding {
			return health.Wish(c.To != "", "place %q", plainPlace(c.To))
		}),
		ask("backup-key", "the writer key", "chmod 0400 it, and give the writer key and not the reader key", func() health.Finding {
			if c.Key == "" {
				return health.Note("none is set")
			}
			_, err := backup.LoadWriter(c.Key)
			if err != nil {
				return health.Fail("%s", errs.As(err).Msg)
			}
			return health.Good("readable by its owner alone, and cannot read backups")
		}),
		{ID: "backup-newest", Looks: "the newest backup", Remedy: "look into the log for why none was made; run mandate backup", Look: d.newestBackup},
		ask("backup-apart", "whether backups lie on another disk than the store", "mount a share of another machine", func() health.Finding {
			return d.apart(c.To)
		}),
		ask("revocation-journal", "whether revocations are kept outside of the store", "set backup.revocation_journal", func() health.Finding {
			return health.Wish(c.Journal != "", "place %q", plainPlace(c.Journal))
		}),
		ask("revocation-journal-apart", "whether the journal lies on another disk than the store", "mount a share of another machine", func() health.Finding {
			return d.apart(c.Journal)
		}),
		{ID: "revocation-journal-reachable", Looks: "whether the journal can be reached and written", Remedy: "mount it; look at permissions, network and credentials", Look: d.journalReachable},
	}, d.onStore([]health.Check{
		{
			ID: "revocation-journal-whole", Looks: "whether the journal has all that the store knows it had",
			Remedy: "find out who cut it; take a backup, and begin a journal in a new folder", Look: d.journalWhole,
		},
		{ID: "restore-finished", Looks: "whether a restore into this store came to its end", Remedy: "run the same mandate restore again", Look: d.restoreFinished},
	})...)
}

func (d *doctor) newestBackup(ctx context.Context) health.Finding {
	c := d.cfg.Backup
	if c.To == "" {
		return health.Note("none is scheduled")
	}
	k, err := newest(ctx, c.To)
	if err != nil {
		return health.Fail("%s", errs.As(err).Msg)
	}
	age := d.clock.Now().Sub(k.Taken)
	return health.Want(age < 2*c.Every, "%s old; one is due every %s", age.Round(1e9), c.Every)
}

// apart compares the disks of a folder and of the embedded store.
func (d *doctor) apart(dir string) health.Finding {
	if bucket.Is(dir) {
		return health.Good("in an object store")
	}
	if dir == "" || d.cfg.Database != "" {
		return health.Note("folder %q, store %s", dir, map[bool]string{true: "in PostgreSQL", false: "embedded"}[d.cfg.Database != ""])
	}
	a, err1 := device(dir)
	b, err2 := device(d.cfg.Data)
	if err1 != nil || err2 != nil {
		return health.Unseen("a folder is not there")
	}
	return health.Wish(a != b, "%q and %q are on one disk: %v", dir, d.cfg.Data, a == b)
}

func device(path string) (uint64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	stat, _ := info.Sys().(*syscall.Stat_t)
	return stat.Dev, nil
}

// journalKey gives the key that the journal is signed with, or why it is not
// looked at.
func (d *doctor) journalKey() (backup.WriterKey, *health.Finding) {
	c := d.cfg.Backup
	if c.Journal == "" || c.Key == "" {
		f := health.Note("no journal is set")
		return backup.WriterKey{}, &f
	}
	key, err := backup.LoadWriter(c.Key)
	if err != nil {
		f := health.Unseen("the writer key cannot be read")
		return backup.WriterKey{}, &f
	}
	return key, nil
}

// journalReachable reads the ends of the segments, and asks whether a folder may
// be written; it leaves nothing there.
func (d *doctor) journalReachable(ctx context.Context) health.Finding {
	c := d.cfg.Backup
	key, missing := d.journalKey()
	if missing != nil {
		return *missing
	}
	place, err := openJournalPlace(ctx, c.Journal, c.hold(), d.clock, false)
	if err != nil {
		return health.Fail("%s", errs.As(err).Msg)
	}
	heads, err := journal.Heads(ctx, place, key.Verifier())
	if err != nil {
		return health.Fail("%s", errs.As(err).Msg)
	}
	if !bucket.Is(c.Journal) && unix.Access(c.Journal, unix.W_OK) != nil {
		return health.Fail("the folder %q cannot be written", c.Journal)
	}
	last := "never"
	for _, h := range heads {
		if !h.At.IsZero() {
			last = h.At.UTC().Format(time.RFC3339)
		}
	}
	return health.Good("%d segments; last written: %s", len(heads), last)
}

func (d *doctor) journalWhole(ctx context.Context) health.Finding {
	c := d.cfg.Backup
	key, missing := d.journalKey()
	if missing != nil {
		return *missing
	}
	heads, err := d.st.JournalHeads(ctx)
	if err != nil {
		return health.Unseen("the store does not answer")
	}
	place, err := openJournalPlace(ctx, c.Journal, hold{}, d.clock, false)
	if err != nil {
		return health.Fail("%s", errs.As(err).Msg)
	}
	content, err := journal.Read(ctx, place, key.Verifier(), heads, d.clock.Now().AddDate(0, 0, -1))
	if err != nil {
		return health.Fail("%s", errs.As(err).Msg)
	}
	return health.Good("%d revocations in %d segments, each line signed", len(content.Entries), len(content.Heads))
}

func (d *doctor) restoreFinished(ctx context.Context) health.Finding {
	r, err := d.st.Restored(ctx)
	switch {
	case errs.Is(err, errs.NotFound):
		return health.Good("never restored")
	case err != nil:
		return health.Unseen("the store does not answer")
	}
	return health.Want(!r.Finished.IsZero(), "backup of %s, finished: %v", r.Taken.Format("2006-01-02 15:04"), !r.Finished.IsZero())
}
