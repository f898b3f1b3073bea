package audit

import (
	"context"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
)

// Batches is the part of Store that a Queue writes to.
type Batches interface {
	// AppendAudits adds a batch in one transaction, in order. The batch is the
	// caller's again when it returns. Errors: errs.Unavailable; then none was
	// added.
	AppendAudits(ctx context.Context, events []Event) error
}

// QueueConfig sizes a Queue. Zero values take the defaults.
type QueueConfig struct {
	// Size is how many events may wait (4,096).
	Size int
	// Batch is the greatest number of events in one transaction (256).
	Batch int
	// CommitTimeout bounds one transaction (10 seconds).
	CommitTimeout time.Duration
}

// Queue is a Recorder that commits in groups: while one batch is being
// written the next one gathers, and waits a moment for those who were just
// answered, so that many readers share one durable write (D8, AR-03). Events are written in the order in which they came. It is safe
// for concurrent use.
type Queue struct {
	store Batches
	cfg   QueueConfig

	// gate is held for reading while an event is handed in and for writing
	// while the queue closes.
	gate   sync.RWMutex
	closed bool
	in     chan waiting
	done   chan struct{}
	waits  waits
}

var _ Recorder = (*Queue)(nil)

// waiting is an event whose recorder waits for it to be durable.
type waiting struct {
	event  Event
	answer chan error
}

// NewQueue starts a Queue; Close ends it.
func NewQueue(store Batches, cfg QueueConfig) *Queue {
	if cfg.Size <= 0 {
		cfg.Size = 4096
	}
	if cfg.Batch <= 0 {
		cfg.Batch = 256
	}
	if cfg.CommitTimeout <= 0 {
		cfg.CommitTimeout = 10 * time.Second
	}
	q := &Queue{store: store, cfg: cfg, in: make(chan waiting, cfg.Size), done: make(chan struct{})}
	go q.run()
	return q
}

// Record returns once the event is durable. Errors, all errs.Unavailable:
// code audit-queue-full when too many wait, audit-queue-closed after Close,
// audit-unconfirmed when ctx ends first (the event may still be written), and
// the store's own. On every error the caller must refuse the act.
func (q *Queue) Record(ctx context.Context, e Event) error {
	w, began := waiting{event: e, answer: make(chan error, 1)}, clock.Ticks()
	if err := q.hand(w); err != nil {
		return err
	}
	select {
	case err := <-w.answer:
		if err == nil {
			q.waits.add(clock.Ticks() - began)
		}
		return err
	case <-ctx.Done():
		return errs.Wrap(ctx.Err(), errs.Unavailable, "audit-unconfirmed", "The audit event was not confirmed in time.")
	}
}

func (q *Queue) hand(w waiting) error {
	q.gate.RLock()
	defer q.gate.RUnlock()
	if q.closed {
		return errs.New(errs.Unavailable, "audit-queue-closed", "The audit queue is closed.")
	}
	select {
	case q.in <- w:
		return nil
	default:
		return errs.New(errs.Unavailable, "audit-queue-full", "Too many audit events wait to be written.")
	}
}

// Close takes no more events and waits until those handed in are answered. It
// may be called again. Errors: errs.Unavailable with code audit-queue-draining
// when ctx ends first; writing goes on.
func (q *Queue) Close(ctx context.Context) error {
	q.gate.Lock()
	if !q.closed {
		q.closed = true
		close(q.in)
	}
	q.gate.Unlock()
	select {
	case <-q.done:
		return nil
	case <-ctx.Done():
		return errs.Wrap(ctx.Err(), errs.Unavailable, "audit-queue-draining", "Audit events are still being written.")
	}
}

// Waiting tells how many events wait to be written, and for how many there is
// room.
func (q *Queue) Waiting() (events, room int) { return len(q.in), cap(q.in) }

func (q *Queue) run() {
	defer close(q.done)
	b := batch{events: make([]Event, 0, q.cfg.Batch), answers: make([]chan error, 0, q.cfg.Batch)}
	var company txn.Company
	for first := range q.in {
		b.add(first)
		q.gather(&b)
		if patience := company.Patience(len(b.events)); patience > 0 {
			q.await(&b, &company, patience)
		}
		began := clock.Ticks()
		q.commit(&b)
		company.Shared(len(b.events), len(q.in), clock.Ticks()-began)
		b.clear()
	}
}

// batch is what is written in one transaction, in memory that serves again.
type batch struct {
	events  []Event
	answers []chan error
}

func (b *batch) add(w waiting) {
	b.events, b.answers = append(b.events, w.event), append(b.answers, w.answer)
}

// clear keeps nothing of the events.
func (b *batch) clear() {
	clear(b.events)
	clear(b.answers)
	b.events, b.answers = b.events[:0], b.answers[:0]
}

// gather takes what waits already, without waiting for more.
func (q *Queue) gather(b *batch) {
	for len(b.events) < q.cfg.Batch {
		select {
		case w, ok := <-q.in:
			if !ok {
				return
			}
			b.add(w)
		default:
			return
		}
	}
}

// await takes what comes until all are here who are expected, or patience ends.
func (q *Queue) await(b *batch, company *txn.Company, patience time.Duration) {
	end := time.NewTimer(patience)
	defer end.Stop()
	for len(b.events) < q.cfg.Batch && company.Patience(len(b.events)) > 0 {
		select {
		case w, ok := <-q.in:
			if !ok {
				return
			}
			b.add(w)
		case <-end.C:
			return
		}
	}
}

// commit does not use the context of any recorder: one that goes away must
// not take the others' events with it.
func (q *Queue) commit(b *batch) {
	ctx, cancel := context.WithTimeout(context.Background(), q.cfg.CommitTimeout)
	defer cancel()
	err := q.store.AppendAudits(ctx, b.events)
	if err != nil && !errs.Is(err, errs.Unavailable) {
		err = errs.Wrap(err, errs.Unavailable, "audit-store", "The audit event could not be written.")
	}
	for _, answer := range b.answers {
		answer <- err
	}
}
