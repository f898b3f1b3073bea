package journal

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

// Objects is an object store as a journal needs it; internal/backup/bucket is
// one.
type Objects interface {
	// Put makes an object durable and lets nobody change or delete it until
	// then; the zero time asks for nothing.
	Put(ctx context.Context, name string, body []byte, until time.Time) error
	// Get opens an object; limit > 0 gives only that much of its beginning.
	Get(ctx context.Context, name string, limit int64) (io.ReadCloser, error)
	// List calls each with names that begin so, in order, until it says no.
	List(ctx context.Context, begin string, each func(name string, size int64) bool) error
	// Folders gives the first parts of names that have a slash, in order.
	Folders(ctx context.Context) ([]string, error)
	Delete(ctx context.Context, name string) error
}

// Bucket is a journal in an object store, which cannot append: each write is an
// object of its own, named so that the newest of a segment stands first.
type Bucket struct {
	Objects Objects
	// Name tells people where it is.
	Name string
	// Immutable is for how long the store keeps each write from everybody; 0
	// does not ask it to.
	Immutable time.Duration
	Clock     clock.Clock
}

// Place gives the place of a journal.
func (b Bucket) Place() Place { return Place{Name: b.Name, Segments: objects{b}} }

type objects struct{ Bucket }

// highest is more than the lines of a segment.
const highest = 1e15

// objectName names the object whose first line has this number.
func objectName(segment string, line int64) string {
	return fmt.Sprintf("%s/%015d", segment, int64(highest)-line)
}

// Names implements Segments.
func (o objects) Names(ctx context.Context) ([]string, error) { return o.Objects.Folders(ctx) }

// Begin implements Segments.
func (o objects) Begin(_ context.Context, name string) (Segment, error) {
	return &segmentObjects{in: o, name: name, next: 1}, nil
}

// segmentObjects is a segment that is being written.
type segmentObjects struct {
	in   objects
	name string
	next int64
}

// Append implements Segment.
func (s *segmentObjects) Append(ctx context.Context, lines []byte) error {
	until := time.Time{}
	if s.in.Immutable > 0 {
		until = s.in.Clock.Now().Add(s.in.Immutable)
	}
	if err := s.in.Objects.Put(ctx, objectName(s.name, s.next), lines, until); err != nil {
		return err
	}
	s.next += int64(bytes.Count(lines, []byte("\n")))
	return nil
}

// Close implements Segment.
func (s *segmentObjects) Close() error { return nil }

// parts gives the names of the objects of a segment, newest first.
func (o objects) parts(ctx context.Context, segment string) (all []string, err error) {
	err = o.Objects.List(ctx, segment+"/", func(name string, _ int64) bool {
		all = append(all, name)
		return true
	})
	return all, err
}

func (o objects) body(ctx context.Context, name string) ([]byte, error) {
	in, err := o.Objects.Get(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, maxLine))
}

// Last implements Segments.
func (o objects) Last(ctx context.Context, segment string) (string, error) {
	newest := ""
	err := o.Objects.List(ctx, segment+"/", func(name string, _ int64) bool {
		newest = name
		return false
	})
	if err != nil || newest == "" {
		return "", err
	}
	body, err := o.body(ctx, newest)
	text, _ := lastLine(body)
	return text, err
}

// maxFetched bounds how many objects are fetched at a time.
const maxFetched = 16

// Read implements Segments. A segment is a day of one process, so it is held in
// memory.
func (o objects) Read(ctx context.Context, segment string) (io.ReadCloser, error) {
	names, err := o.parts(ctx, segment)
	if err != nil {
		return nil, err
	}
	slices.Reverse(names)
	bodies, faults := make([][]byte, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	room := make(chan struct{}, maxFetched)
	for i, name := range names {
		room <- struct{}{}
		wg.Go(func() {
			bodies[i], faults[i] = o.body(ctx, name)
			<-room
		})
	}
	wg.Wait()
	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}
	return io.NopCloser(bytes.NewReader(bytes.Join(bodies, nil))), nil
}

// Remove implements Segments. The oldest objects go last: a segment that was
// half removed is one whose end is missing, which is noticed, until the next
// try.
func (o objects) Remove(ctx context.Context, segment string) error {
	names, err := o.parts(ctx, segment)
	for _, name := range names {
		if !strings.HasPrefix(name, segment+"/") {
			continue
		}
		if err := o.Objects.Delete(ctx, name); err != nil {
			return err
		}
	}
	return err
}
