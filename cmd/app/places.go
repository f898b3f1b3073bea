package app

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/backup/bucket"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
)

// placeHelp tells what stands for a place of backups or of the journal.
const placeHelp = "a folder, or s3://BUCKET/PREFIX?region=NAME&endpoint=URL"

// checkPlace judges a place without asking anybody.
func checkPlace(place string) error {
	if bucket.Is(place) {
		_, err := bucket.Parse(place)
		return err
	}
	if scheme, _, found := strings.Cut(place, "://"); found {
		return errs.New(errs.Invalid, "backup-place-unsupported", fmt.Sprintf("%s:// is not offered. Give %s.", scheme, placeHelp))
	}
	return nil
}

// hold is for how long what is written is to be kept immutable, where it is
// asked for.
type hold struct {
	asked bool
	keep  time.Duration
}

func (h hold) span() time.Duration {
	if !h.asked {
		return 0
	}
	return h.keep
}

// openBucket opens a place in an object store, a lazy one without reaching it.
func openBucket(ctx context.Context, place string, h hold, lazy bool) (*bucket.Bucket, error) {
	at, err := bucket.Parse(place)
	if err != nil {
		return nil, err
	}
	b, err := bucket.Open(ctx, at)
	if err == nil && !lazy {
		err = b.Ready(ctx, h.asked)
	}
	return b, err
}

// openBackups opens a place of backups.
func openBackups(ctx context.Context, place string, h hold) (backup.Place, error) {
	if err := checkPlace(place); err != nil {
		return nil, err
	}
	if !bucket.Is(place) {
		return backup.OpenFolder(place, h.asked)
	}
	if h.asked && h.keep <= 0 {
		return nil, errs.New(errs.Invalid, "backup-immutable-for", "An object store keeps a backup immutable until a moment: say for how long with --backup-keep-for.")
	}
	b, err := openBucket(ctx, place, h, false)
	if err != nil {
		return nil, err
	}
	return backup.InObjects{Objects: b, Name: b.String(), Immutable: h.span()}, nil
}

// openJournalPlace opens the place of a revocation journal, a lazy one when it is
// first used.
func openJournalPlace(ctx context.Context, place string, h hold, clk clock.Clock, lazy bool) (journal.Place, error) {
	if err := checkPlace(place); err != nil {
		return journal.Place{}, err
	}
	if !bucket.Is(place) {
		return journal.Folder(place), nil
	}
	b, err := openBucket(ctx, place, h, lazy)
	if err != nil {
		return journal.Place{}, err
	}
	return journal.Bucket{Objects: b, Name: b.String(), Immutable: h.span(), Clock: clk}.Place(), nil
}

// chosen is one backup and the place that it is in.
type chosen struct {
	backup.Kept
	place backup.Place
}

// newest gives the backup that an operator means: the file or object itself, or
// the newest of a place.
func newest(ctx context.Context, text string) (chosen, error) {
	if info, err := os.Stat(text); err == nil && !info.IsDir() {
		k, err := backup.Stat(text)
		return chosen{k, backup.Folder{Dir: path.Dir(text)}}, err
	}
	name := ""
	if bucket.Is(text) {
		// s3://BUCKET/PREFIX/NAME?… means one object.
		before, query, _ := strings.Cut(text, "?")
		if folder, last := path.Split(before); backup.IsName(last) {
			text, name = strings.TrimSuffix(folder, "/")+"?"+query, last
		}
	}
	place, err := openBackups(ctx, text, hold{})
	if err != nil {
		return chosen{}, err
	}
	all, err := place.List(ctx)
	if err != nil {
		return chosen{}, err
	}
	for _, k := range all {
		if name == "" || path.Base(k.Path) == name {
			return chosen{k, place}, nil
		}
	}
	return chosen{}, errs.New(errs.NotFound, "backup-missing", fmt.Sprintf("There is no backup in %s.", plainPlace(text)))
}

// plainPlace names a place without how it is reached.
func plainPlace(text string) string {
	name, _, _ := strings.Cut(text, "?")
	return name
}
