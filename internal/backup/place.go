package backup

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// suffix ends the name of every backup.
const suffix = ".mandate-backup"

// Place is where backups are kept.
type Place interface {
	// Put writes a backup under a name of its own: either all of it is there
	// afterwards, durable and read-only, or nothing. Errors: errs.Conflict when
	// the name is taken; errs.Unavailable; those of write.
	Put(ctx context.Context, h Header, write func(io.Writer) error) (Kept, error)
	// List gives the backups, newest first. What is being written or was given
	// up is not among them. Errors: errs.Unavailable.
	List(ctx context.Context) ([]Kept, error)
	// Open opens a backup for reading. Errors: errs.Unavailable.
	Open(ctx context.Context, k Kept) (io.ReadCloser, error)
	// Remove deletes a backup.
	Remove(ctx context.Context, k Kept) error
	// Sweep deletes what writers that were killed left long before now.
	Sweep(ctx context.Context, now time.Time) error
}

// Kept is one backup in a place.
type Kept struct {
	Header
	// Path names it for people: a file, or s3://BUCKET/NAME.
	Path string
	Size int64
}

// fileName sorts by time.
func fileName(h Header) string {
	return "mandate-" + h.Taken.UTC().Format("20060102T150405Z") + "-" + h.ID[:min(8, len(h.ID))] + suffix
}

// IsName reports whether a file or object has the name of a backup.
func IsName(name string) bool { return strings.HasSuffix(name, suffix) }

func byAge(all []Kept) []Kept {
	slices.SortStableFunc(all, func(a, b Kept) int { return b.Taken.Compare(a.Taken) })
	return all
}

// Retention says which backups may go.
type Retention struct {
	// Keep is how many of the newest stay; 0 lets all stay.
	Keep int
	// For is for how long a backup stays whatever Keep says.
	For time.Duration
}

// Prune deletes what the rule lets go and gives it. A backup whose signature
// is right always stays: when none of those to be kept is good, the newest
// good one among the others stays too. Errors: errs.Unavailable.
func Prune(ctx context.Context, place Place, rule Retention, now time.Time, key ed25519.PublicKey) ([]Kept, error) {
	if err := place.Sweep(ctx, now); err != nil {
		return nil, err
	}
	all, err := place.List(ctx)
	if err != nil || rule.Keep <= 0 {
		return nil, err
	}
	var gone []Kept
	good := false
	for i, k := range all {
		if ctx.Err() != nil {
			return gone, nil
		}
		if i < rule.Keep || now.Sub(k.Taken) < rule.For || !good {
			good = good || Check(ctx, place, k, key) == nil
			continue
		}
		if err := place.Remove(ctx, k); err != nil {
			return gone, errs.Wrap(err, errs.Unavailable, "backup-not-deleted", fmt.Sprintf("The old backup %s cannot be deleted.", k.Path))
		}
		gone = append(gone, k)
	}
	return gone, nil
}

// Check reads a whole backup and checks its signature. Errors: as Open and
// CheckSignature.
func Check(ctx context.Context, place Place, k Kept, key ed25519.PublicKey) error {
	file, err := place.Open(ctx, k)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = CheckSignature(file, key)
	return err
}
