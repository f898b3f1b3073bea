package backup

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// maxBeginning is more than the lines before the chunks take.
const maxBeginning = 16 << 10

// Objects is an object store as backups need it; internal/backup/bucket is one.
type Objects interface {
	// Upload puts what write gives, all of it or nothing, and lets nobody change
	// or delete it until then; the zero time asks for nothing.
	Upload(ctx context.Context, name string, until time.Time, write func(io.Writer) error) (int64, error)
	// List calls each with names that begin so, in order, until it says no.
	List(ctx context.Context, begin string, each func(name string, size int64) bool) error
	// Get opens an object; limit > 0 gives only that much of its beginning.
	Get(ctx context.Context, name string, limit int64) (io.ReadCloser, error)
	Delete(ctx context.Context, name string) error
	// Sweep forgets uploads that began before and did not end.
	Sweep(ctx context.Context, before time.Time) error
}

// InObjects is a Place in an object store.
type InObjects struct {
	Objects Objects
	// Name is what stands before the names of backups for people.
	Name string
	// Immutable is for how long the store keeps a backup from everybody; 0 does
	// not ask it to.
	Immutable time.Duration
}

// String names the place.
func (p InObjects) String() string { return p.Name }

// Put implements Place.
func (p InObjects) Put(ctx context.Context, h Header, write func(io.Writer) error) (Kept, error) {
	name, until := fileName(h), time.Time{}
	if p.Immutable > 0 {
		until = h.Taken.Add(p.Immutable)
	}
	err := p.Objects.List(ctx, name, func(string, int64) bool {
		name = ""
		return false
	})
	if err == nil && name == "" {
		return Kept{}, errs.New(errs.Conflict, "backup-exists", fmt.Sprintf("There is a backup %s in %s already; it is never overwritten.", fileName(h), p.Name))
	}
	if err != nil {
		return Kept{}, err
	}
	size, err := p.Objects.Upload(ctx, name, until, write)
	if err != nil {
		return Kept{}, err
	}
	return Kept{Header: h, Path: p.Name + name, Size: size}, nil
}

// List implements Place. What has the name of a backup and is none is left out.
func (p InObjects) List(ctx context.Context) ([]Kept, error) {
	var all []Kept
	err := p.Objects.List(ctx, "", func(name string, size int64) bool {
		if strings.HasSuffix(name, suffix) && !strings.Contains(name, "/") {
			all = append(all, Kept{Path: p.Name + name, Size: size})
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	var good []Kept
	for _, k := range all {
		beginning, err := p.Objects.Get(ctx, p.name(k), maxBeginning)
		if err != nil {
			return nil, err
		}
		h, err := ReadHeader(beginning)
		_ = beginning.Close() // it was only read
		if err != nil {
			continue
		}
		k.Header = h
		good = append(good, k)
	}
	return byAge(good), nil
}

func (p InObjects) name(k Kept) string { return strings.TrimPrefix(k.Path, p.Name) }

// Open implements Place.
func (p InObjects) Open(ctx context.Context, k Kept) (io.ReadCloser, error) {
	return p.Objects.Get(ctx, p.name(k), 0)
}

// Remove implements Place.
func (p InObjects) Remove(ctx context.Context, k Kept) error { return p.Objects.Delete(ctx, p.name(k)) }

// Sweep implements Place.
func (p InObjects) Sweep(ctx context.Context, now time.Time) error {
	return p.Objects.Sweep(ctx, now.Add(-stalePartial))
}
