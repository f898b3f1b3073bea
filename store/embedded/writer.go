package embedded

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/store"
)

// maxBatch is how many transactions share one commit at most.
const maxBatch = 64

// writer owns the one write connection. Its goroutine hands the connection to
// one caller at a time and commits for all that came by the moment nobody is
// waiting and nobody expected. The first of a batch is the SQLite transaction itself; the others
// are savepoints in it, so that each can be undone alone.
type writer struct {
	conn  *writeConn
	queue chan *turn
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once
	// commits counts what went to the disk.
	commits atomic.Int64
	// waits counts who waits for a turn, turns those who have one: 0 or 1.
	waits waits
	turns atomic.Int64

	// open is true while a SQLite transaction is under way, acts are the
	// turns in it whose work is done, and those after them whose work failed.
	// Only run's goroutine uses both.
	open bool
	acts []*turn
	// company says whom a commit waits for.
	company txn.Company
}

// turn is one caller's wait for the connection.
type turn struct {
	// granted hands the connection over; gone is closed by a caller who
	// stopped waiting.
	granted chan struct{}
	gone    chan struct{}
	// worked tells whether the caller's work succeeded.
	worked chan bool
	// result is the outcome of the commit, or why there was no turn. Who failed
	// waits for it too: the failure may tell of what others in the batch did, and
	// whoever acts on it must find that committed.
	result chan error
}

func newWriter(conn *sql.Conn) *writer {
	w := &writer{
		conn:  &writeConn{conn: conn, cache: map[string]*sql.Stmt{}},
		queue: make(chan *turn), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go w.run()
	return w
}

// enter waits for a turn of the connection. Who gets one must leave.
func (w *writer) enter(ctx context.Context) (*turn, error) {
	defer w.waits.begin()()
	t := &turn{granted: make(chan struct{}), gone: make(chan struct{}), worked: make(chan bool, 1), result: make(chan error, 1)}
	select {
	case w.queue <- t:
	case <-w.ended:
		return nil, errClosed()
	case <-ctx.Done():
		return nil, translate(ctx.Err())
	}
	select {
	case <-t.granted:
		return t, nil
	case err := <-t.result:
		return nil, err
	case <-ctx.Done():
		close(t.gone)
		return nil, translate(ctx.Err())
	}
}

func (w *writer) run() {
	defer close(w.ended)
	for {
		select {
		case t := <-w.queue:
			w.batch(t)
		case <-w.stop:
			return
		}
	}
}

func (w *writer) batch(t *turn) {
	began := clock.Ticks()
	for n := 1; t != nil; n++ {
		w.take(t)
		if t = nil; n < maxBatch {
			t = w.next(began)
		}
	}
	if w.open {
		w.commit()
	}
}

// next gives who waits for a turn, or comes while a batch that began then waits
// for company; nil for nobody.
func (w *writer) next(began time.Duration) *turn {
	select {
	case t := <-w.queue:
		return t
	default:
	}
	wait := w.company.Patience(len(w.acts)) - (clock.Ticks() - began)
	if !w.open || wait <= 0 {
		return nil
	}
	end := time.NewTimer(wait)
	defer end.Stop()
	select {
	case t := <-w.queue:
		return t
	case <-end.C:
		return nil
	}
}

func (w *writer) commit() {
	began := clock.Ticks()
	err := w.conn.control("COMMIT")
	if err != nil {
		// The transaction may be over already; then this does nothing.
		_ = w.conn.control("ROLLBACK")
	}
	w.commits.Add(1)
	w.open = false
	w.company.Shared(len(w.acts), int(w.waits.now.Load()), clock.Ticks()-began)
	w.settle(err)
}

// take gives one turn.
func (w *writer) take(t *turn) {
	begin, undo, keep := "SAVEPOINT act", []string{"ROLLBACK TO act", "RELEASE act"}, "RELEASE act"
	if len(w.acts) == 0 {
		begin, undo, keep = "BEGIN IMMEDIATE", []string{"ROLLBACK"}, ""
	}
	if err := w.conn.control(begin); err != nil {
		t.result <- err
		return
	}
	w.open = true
	worked := false
	select {
	case t.granted <- struct{}{}:
		w.turns.Store(1)
		worked = <-t.worked
		w.turns.Store(0)
	case <-t.gone:
	}
	if worked {
		if err := w.control(keep); err != nil {
			t.result <- store.Contended(err)
			w.lost(err)
			return
		}
		w.acts = append(w.acts, t)
		return
	}
	for _, sql := range undo {
		if err := w.control(sql); err != nil {
			// Its own failure is what undid all, so that is what it is told.
			t.result <- nil
			w.lost(err)
			return
		}
	}
	if w.open = len(w.acts) > 0; w.open {
		w.acts = append(w.acts, t)
		return
	}
	t.result <- nil
}

func (w *writer) control(sql string) error {
	if sql == "" {
		return nil
	}
	return w.conn.control(sql)
}

// lost is called when SQLite has undone the whole transaction by itself, as it
// does on a full disk: those whose work was in it run again.
func (w *writer) lost(cause error) {
	_ = w.conn.control("ROLLBACK")
	w.open = false
	w.settle(store.Contended(cause))
}

// settle tells every act of the batch how it ended.
func (w *writer) settle(err error) {
	for _, t := range w.acts {
		t.result <- err
	}
	w.acts = w.acts[:0]
}

func (w *writer) close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.ended
	return w.conn.close()
}

func errClosed() error {
	return errs.Wrap(errors.New("embedded: closed"), errs.Unavailable, "store-closed", "The store is shutting down.")
}
