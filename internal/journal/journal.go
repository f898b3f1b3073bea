package journal

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// rollAfter is for how long a segment is written before the next begins, so that
// old ones can go.
const rollAfter = 24 * time.Hour

// maxWaiting is how many callers share one write to the disk at most.
const maxWaiting = 256

// Config says where a journal is and who signs it.
type Config struct {
	// Place must lie outside of what is backed up.
	Place Place
	Key   ed25519.PrivateKey
	Clock clock.Clock
	IDs   ids.Source
	// Lazy begins the segment with the first line: for a command that mostly
	// revokes nothing.
	Lazy bool
}

// Journal appends to segments of its own. It is safe for concurrent use.
type Journal struct {
	cfg   Config
	queue chan *request
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once
	// closing is the outcome of the last line.
	closing error

	// segment and the rest are the one under way; only run uses them, but for
	// what mu guards.
	segment Segment
	began   time.Time
	mu      sync.Mutex
	head    Head
	// trouble is the outcome of the last write.
	trouble error
}

type request struct {
	lines []line
	// head is set before done gives nil.
	head Head
	done chan error
}

// Open begins a segment of this process. Errors: errs.Unavailable
// (revocation-journal-unwritable) naming the folder.
func Open(c Config) (*Journal, error) {
	j := &Journal{cfg: c, queue: make(chan *request), stop: make(chan struct{}), ended: make(chan struct{})}
	if !c.Lazy {
		if err := j.begin(); err != nil {
			return nil, err
		}
	}
	go j.run()
	return j, nil
}

// Append adds entries and returns when they are durable, with how far the
// segment had come. Errors:
// errs.Unavailable (revocation-journal-unwritable); then they may or may not
// be there, and adding them again does no harm.
func (j *Journal) Append(ctx context.Context, entries []Entry) (Head, error) {
	lines := make([]line, len(entries))
	for i := range entries {
		lines[i].Entry = &entries[i]
	}
	return j.add(ctx, lines)
}

// Beat tells that up to now nothing is missing. Errors: as Append.
func (j *Journal) Beat(ctx context.Context) error {
	_, err := j.add(ctx, []line{{Mark: beat}})
	return err
}

func (j *Journal) add(ctx context.Context, lines []line) (Head, error) {
	r := &request{lines: lines, done: make(chan error, 1)}
	select {
	case j.queue <- r:
	case <-j.ended:
		return Head{}, j.unwritable(os.ErrClosed)
	case <-ctx.Done():
		return Head{}, j.hangs(ctx)
	}
	select {
	case err := <-r.done:
		return r.head, err
	case <-ctx.Done():
		return Head{}, j.hangs(ctx)
	}
}

// hangs notes that a write did not end in time, as on a share that is away.
func (j *Journal) hangs(ctx context.Context) error {
	err := j.unwritable(ctx.Err())
	j.note(err)
	return err
}

func (j *Journal) note(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.trouble = err
}

// Head gives how far the segment of this process has come.
func (j *Journal) Head() Head {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.head
}

// Trouble gives why the last write failed, nil when it did not.
func (j *Journal) Trouble() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.trouble
}

// Close writes the last line of the segment.
func (j *Journal) Close() error {
	j.once.Do(func() {
		close(j.stop)
		<-j.ended
	})
	return j.closing
}

// run is the only writer of the segment: whoever waits while the disk works
// shares the next write.
func (j *Journal) run() {
	defer close(j.ended)
	for {
		select {
		case <-j.stop:
			j.closing = j.finish()
			return
		case r := <-j.queue:
			batch := []*request{r}
			for more := true; more && len(batch) < maxWaiting; {
				select {
				case r := <-j.queue:
					batch = append(batch, r)
				default:
					more = false
				}
			}
			var lines []line
			for _, r := range batch {
				lines = append(lines, r.lines...)
			}
			err := j.write(lines)
			for _, r := range batch {
				r.head = j.Head()
				r.done <- err
			}
		}
	}
}

// begin opens a fresh segment that names the others.
func (j *Journal) begin() error {
	ctx := context.Background() // what is durable does not depend on who waits for it
	others, err := Heads(ctx, j.cfg.Place, verifier(j.cfg.Key))
	if err != nil {
		return err
	}
	name := j.cfg.Clock.Now().Format("20060102T150405.000Z") + "-" + j.cfg.IDs.ID()[:12]
	segment, err := j.cfg.Place.Segments.Begin(ctx, name)
	if err != nil {
		return j.unwritable(err)
	}
	j.segment, j.began = segment, j.cfg.Clock.Now()
	j.mu.Lock()
	j.head = Head{Segment: name}
	j.mu.Unlock()
	return j.append([]line{{Start: &start{Segment: name, Others: others}}})
}

// write appends lines. A segment that took a part of a line is left behind.
func (j *Journal) write(lines []line) (err error) {
	if j.segment != nil && j.cfg.Clock.Now().Sub(j.began) >= rollAfter {
		// What failed to end is left behind as if its process had been killed.
		err = j.finish()
		j.segment = nil
	}
	if err == nil && j.segment == nil {
		err = j.begin()
	}
	if err == nil {
		err = j.append(lines)
	}
	j.note(err)
	return err
}

func (j *Journal) append(lines []line) error {
	h := j.Head()
	var out []byte
	for _, l := range lines {
		h.Line++
		l.N, l.At, l.Before = h.Line, j.cfg.Clock.Now().Truncate(time.Millisecond), h.Sum
		text, after, err := sign(j.cfg.Key, l)
		if err != nil {
			return errs.Wrap(err, errs.Internal, "revocation-journal-line", "A revocation has no form in the journal.")
		}
		h.Sum, h.At = after, l.At
		out = append(out, text...)
	}
	if err := j.segment.Append(context.Background(), out); err != nil {
		err = errors.Join(err, j.segment.Close())
		j.segment = nil
		return j.unwritable(err)
	}
	j.mu.Lock()
	j.head = h
	j.mu.Unlock()
	return nil
}

func (j *Journal) finish() error {
	if j.segment == nil {
		return nil
	}
	if err := j.append([]line{{Mark: end}}); err != nil {
		return err
	}
	if err := j.segment.Close(); err != nil {
		return j.unwritable(err)
	}
	return nil
}

func (j *Journal) unwritable(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "revocation-journal-unwritable", fmt.Sprintf(
		"The revocation journal in %s cannot be written: check space, permissions and the mount or network."+
			" What was revoked is in force, and goes there as soon as it can.", j.cfg.Place.Name))
}

func verifier(key ed25519.PrivateKey) ed25519.PublicKey {
	public, _ := key.Public().(ed25519.PublicKey)
	return public
}
