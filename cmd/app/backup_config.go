package app

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/backup/bucket"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
)

// BackupConfig says how a server is backed up.
type BackupConfig struct {
	// Key is the writer key; To the place for scheduled backups, empty makes
	// none.
	Key       string        `name:"backup-key" key:"key_file" help:"Writer key for backups and the revocation journal; see mandate backup keygen." placeholder:"FILE" type:"existingfile"`
	To        string        `name:"backup-to" key:"to" help:"Place that gets a backup at intervals: a folder, best a mounted share of another machine, or s3://BUCKET/PREFIX?region=NAME&endpoint=URL." placeholder:"PLACE"`
	Every     time.Duration `name:"backup-every" key:"every" default:"24h" help:"Time between scheduled backups (default ${default})."`
	Keep      int           `name:"backup-keep" key:"keep" default:"30" help:"Number of newest backups that stay; 0 keeps all (default ${default})."`
	KeepFor   time.Duration `name:"backup-keep-for" key:"keep_for" default:"720h" help:"Time for which every backup stays (default ${default})."`
	Immutable bool          `name:"backup-immutable" key:"immutable" help:"Make each backup immutable: chattr +i in a folder (ext4, xfs or btrfs, and CAP_LINUX_IMMUTABLE), Object Lock for backup-keep-for in an object store, of the journal too."`
	// Journal is the place of the revocation journal.
	Journal string `name:"revocation-journal" key:"revocation_journal" help:"Place apart from the store, a folder or s3://BUCKET/PREFIX, that has every revocation before it is confirmed." placeholder:"PLACE"`
}

func (c *BackupConfig) validate(data string, f *config.Faults) {
	if (c.To != "" || c.Journal != "") && c.Key == "" {
		f.Add("backup.key_file", "backups and the revocation journal need the writer key of mandate backup keygen")
	}
	if c.To != "" && c.Every < time.Minute {
		f.Add("backup.every", "must be at least 1m")
	}
	if c.Keep < 0 || c.KeepFor < 0 {
		f.Add("backup.keep", "must not be negative")
	}
	if c.Immutable && c.KeepFor <= 0 {
		f.Add("backup.keep_for", "must say for how long a backup is immutable")
	}
	for key, dir := range map[string]string{"backup.to": c.To, "backup.revocation_journal": c.Journal} {
		if err := checkPlace(dir); err != nil {
			f.Add(key, "%s", errs.As(err).Msg)
			continue
		}
		if !bucket.Is(dir) && dir != "" && data != "" && within(dir, data) {
			f.Add(key, "%q lies inside the data folder, with which it would be lost", dir)
		}
	}
}

// within reports whether a path lies in a folder.
func within(path, folder string) bool {
	p, err1 := filepath.Abs(path)
	d, err2 := filepath.Abs(folder)
	rel, err3 := filepath.Rel(d, p)
	return err1 == nil && err2 == nil && err3 == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(os.PathSeparator))
}

func (c *BackupConfig) hold() hold { return hold{c.Immutable, c.KeepFor} }

func (c *BackupConfig) retention() backup.Retention {
	return backup.Retention{Keep: c.Keep, For: c.KeepFor}
}

// settle is for how long what works once could still be used after the
// last sign of life of a lost server: five minutes for a client assertion
// (SMART ASY-07), one for clocks.
const settle = 6 * time.Minute

// openAfterRestore refuses a store whose restore did not end, and waits until
// what works once cannot be used a second time: a client assertion or a
// one-time code that was used after the backup is not known to be.
func (a *App) openAfterRestore(ctx context.Context) error {
	r, err := a.store.Restored(ctx)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.Finished.IsZero() {
		return errs.New(errs.Conflict, "restore-unfinished",
			"This store is being restored and may hold what was revoked. Run the same mandate restore again; it goes on where it stopped.")
	}
	wait := r.Opens.Sub(a.clock.Now())
	if wait <= 0 {
		return nil
	}
	a.log.WarnContext(ctx, "restored store: waiting until assertions and codes used before the loss have ended", "until", r.Opens, "seconds", int(wait.Seconds()))
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
