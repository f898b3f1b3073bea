package postgres

import (
	"context"
	"errors"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// txConn runs statements inside a transaction. It takes a connection and begins
// with the first statement that is answered; what is queued goes out with it, or
// with the commit, in one round trip.
type txConn struct {
	engine *Engine
	// pooled is nil until the transaction begins.
	pooled *pgxpool.Conn
	queue  []queued
	over   bool
}

// queued is a statement that waits for the next round trip.
type queued struct {
	sql  string
	args []any
	must bool
}

// Later implements store.Conn.
func (c *txConn) Later(must bool, sql string, args ...any) error {
	if c.over {
		return errOver()
	}
	if must {
		sql = c.engine.must(sql)
	}
	c.queue = append(c.queue, queued{sql, args, must})
	return nil
}

// must makes the server refuse a statement that touches no row, so that what
// was sent behind it has no effect either: it divides by the number of rows.
func (e *Engine) must(sql string) string {
	if text, ok := e.musts.Load(sql); ok {
		return text.(string)
	}
	text, _ := e.musts.LoadOrStore(sql, "WITH touched AS ("+sql+" RETURNING 1) SELECT 1/count(*) FROM touched")
	return text.(string)
}

// fail translates an error. A connection to a server that no longer takes
// writes is closed, so that the next one goes to the new primary.
func (c *txConn) fail(err error) error {
	if stale(err) {
		_ = c.pooled.Conn().Close(context.Background())
	}
	return beforeCommit(err)
}

// Exec implements store.Conn.
func (c *txConn) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	sent, err := c.send(ctx, sql, args)
	if err != nil {
		return 0, err
	}
	tag, err := sent.Exec()
	if closed := sent.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return 0, c.fail(err)
	}
	return tag.RowsAffected(), nil
}

// Query implements store.Conn.
func (c *txConn) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	sent, err := c.send(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	r, err := sent.Query()
	if err != nil {
		_ = sent.Close()
		return nil, c.fail(err)
	}
	return &rows{Rows: r, fail: c.fail, done: sync.OnceFunc(func() { _ = sent.Close() })}, nil
}

// QueryRow implements store.Conn.
func (c *txConn) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	found, err := c.Query(ctx, sql, args...)
	return store.First(found, err)
}

// send gives the answer of one statement, sent together with what was queued
// and, for the first, with the begin.
func (c *txConn) send(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	var b pgx.Batch
	begins, err := c.fill(ctx, &b)
	if err != nil {
		return nil, err
	}
	b.Queue(sql, args...)
	sent := c.pooled.Conn().SendBatch(ctx, &b)
	if err := c.answers(sent, begins); err != nil {
		_ = sent.Close()
		return nil, c.fail(err)
	}
	return sent, nil
}

// fill puts the begin, if it is due, and the queue into a batch and gives the
// number of statements of the begin.
func (c *txConn) fill(ctx context.Context, b *pgx.Batch) (begins int, err error) {
	if c.over {
		return 0, errOver()
	}
	if c.pooled == nil {
		if c.pooled, err = c.engine.pool.Acquire(ctx); err != nil {
			return 0, translate(err)
		}
		for _, sql := range c.engine.begin {
			b.Queue(sql)
		}
		begins = len(c.engine.begin)
	}
	for _, q := range c.queue {
		b.Queue(q.sql, q.args...)
	}
	return begins, nil
}

// answers reads those of the begin and of the queue.
func (c *txConn) answers(sent pgx.BatchResults, begins int) error {
	for range begins {
		if _, err := sent.Exec(); err != nil {
			return err
		}
	}
	waiting := c.queue
	c.queue = nil
	for _, q := range waiting {
		if _, err := sent.Exec(); err != nil {
			return missed(q, err)
		}
	}
	return nil
}

// missed tells the failure of a queued statement.
func missed(q queued, err error) error {
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
		return err
	case q.must && pg.Code == divisionByZero:
		return store.Queued(store.ErrMissed)
	case pg.Code == uniqueViolation:
		return store.Queued(err)
	}
	return err
}

// commit ends the transaction. A single statement that nobody waited for is one
// by itself.
func (c *txConn) commit(ctx context.Context) error {
	if c.pooled == nil && len(c.queue) == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return translate(err)
	}
	var b pgx.Batch
	alone := c.pooled == nil && len(c.queue) == 1 && c.engine.alone
	begins, err := c.fill(ctx, &b)
	if err != nil {
		return err
	}
	if alone {
		b.QueuedQueries, begins = b.QueuedQueries[begins:], 0
	} else {
		b.Queue("commit")
	}
	// From here the answer matters more than the caller's patience.
	late, stop := context.WithTimeout(context.WithoutCancel(ctx), c.engine.timeout)
	defer stop()
	sent := c.pooled.Conn().SendBatch(late, &b)
	if err := c.answers(sent, begins); err != nil {
		_ = sent.Close()
		return c.refused(err)
	}
	return commitError(ended(sent, alone))
}

// ended reads the answer to the commit.
func ended(sent pgx.BatchResults, alone bool) error {
	var tag pgconn.CommandTag
	var err error
	if !alone {
		tag, err = sent.Exec()
	}
	if closed := sent.Close(); err == nil {
		err = closed
	}
	if err == nil && !alone && tag.String() != "COMMIT" {
		err = pgx.ErrTxCommitRollback
	}
	return err
}

// refused tells the failure of a statement behind which the commit was sent
// already: if the server gave it, or never saw the end of what was sent, nothing
// has happened.
func (c *txConn) refused(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) || errors.Is(err, syscall.EPIPE) || pgconn.SafeToRetry(err) {
		return c.fail(err)
	}
	return commitError(err)
}

// release gives the connection back. A transaction that did not end is undone;
// a connection on which that fails is closed, and the server then undoes it.
func (c *txConn) release(ctx context.Context) {
	c.over = true
	if c.pooled == nil {
		return
	}
	conn := c.pooled.Conn()
	if !conn.IsClosed() && conn.PgConn().TxStatus() != 'I' {
		late, stop := context.WithTimeout(context.WithoutCancel(ctx), c.engine.timeout)
		defer stop()
		if _, err := conn.Exec(late, "rollback"); err != nil {
			_ = conn.Close(late)
		}
	}
	c.pooled.Release()
}

func errOver() error {
	return errs.New(errs.Internal, "transaction-over", "A transaction was used after its end.")
}
