package embedded

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// turnConn is one transaction. It takes its turn of the write connection with
// the first statement that is answered, so that a transaction which only writes
// holds the connection for its statements alone. Contexts are looked at before
// each statement but not handed down: SQLite would undo the whole batch when a
// statement is interrupted.
type turnConn struct {
	writer *writer
	turn   *turn
	queue  []queued
	over   bool
}

// queued is a statement that waits for the turn.
type queued struct {
	text string
	args []any
	must bool
}

// do runs fn in the caller's goroutine, so that a panic stays the caller's own,
// and waits for the commit, also when fn failed.
func (w *writer) do(ctx context.Context, fn func(store.Conn) error) error {
	c := &turnConn{writer: w}
	failed := c.work(ctx, fn)
	if c.turn == nil {
		return failed
	}
	// The work is done: whether it is durable is known soon, and must be.
	if err := <-c.turn.result; err != nil {
		return err
	}
	return failed
}

func (c *turnConn) work(ctx context.Context, fn func(store.Conn) error) error {
	worked := false
	defer func() {
		c.over = true
		if c.turn != nil {
			c.turn.worked <- worked
		}
	}()
	err := fn(c)
	if err == nil && len(c.queue) > 0 {
		err = c.ready(ctx)
	}
	worked = err == nil
	return err
}

// ready takes the turn if that was not done and runs what is queued.
func (c *turnConn) ready(ctx context.Context) (err error) {
	if c.over {
		return errOver()
	}
	if err := ctx.Err(); err != nil {
		return translate(err)
	}
	if c.turn == nil {
		if c.turn, err = c.writer.enter(ctx); err != nil {
			return err
		}
	}
	waiting := c.queue
	c.queue = nil
	for _, q := range waiting {
		n, err := c.exec(q.text, q.args)
		switch {
		case errs.Is(err, errs.Conflict):
			return store.Queued(err)
		case err != nil:
			return err
		case q.must && n == 0:
			return store.Queued(store.ErrMissed)
		}
	}
	return nil
}

func (c *turnConn) exec(text string, args []any) (int64, error) {
	if len(args) == 0 {
		// Changes of tables: run once, not kept.
		return affected(c.writer.conn.conn.ExecContext(context.Background(), text))
	}
	s, err := c.writer.conn.prepare(text)
	if err != nil {
		return 0, translate(err)
	}
	return affected(s.Exec(args...))
}

// Later implements store.Conn.
func (c *turnConn) Later(must bool, text string, args ...any) error {
	if c.over {
		return errOver()
	}
	c.queue = append(c.queue, queued{text, args, must})
	return nil
}

// Exec implements store.Conn.
func (c *turnConn) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	if err := c.ready(ctx); err != nil {
		return 0, err
	}
	return c.exec(text, args)
}

// Query implements store.Conn.
func (c *turnConn) Query(ctx context.Context, text string, args ...any) (store.Rows, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	s, err := c.writer.conn.prepare(text)
	if err != nil {
		return nil, translate(err)
	}
	return wrap(s.Query(args...))
}

// QueryRow implements store.Conn.
func (c *turnConn) QueryRow(ctx context.Context, text string, args ...any) store.Row {
	return store.First(c.Query(ctx, text, args...))
}

func errOver() error {
	return errs.New(errs.Internal, "transaction-over", "A transaction was used after its end.")
}
