package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mandate-health/mandate/store"
)

// txConn runs statements inside a transaction.
type txConn struct {
	tx   pgx.Tx
	conn *pgx.Conn
}

// fail translates an error. A connection to a server that no longer takes
// writes is closed, so that the next one goes to the new primary.
func (c *txConn) fail(err error) error {
	if stale(err) {
		_ = c.conn.Close(context.Background())
	}
	return beforeCommit(err)
}

// Exec implements store.Conn.
func (c *txConn) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := c.tx.Exec(ctx, sql, args...)
	if err != nil {
		return 0, c.fail(err)
	}
	return tag.RowsAffected(), nil
}

// Query implements store.Conn.
func (c *txConn) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	r, err := c.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, c.fail(err)
	}
	return &rows{Rows: r, fail: c.fail, done: func() {}}, nil
}

// QueryRow implements store.Conn.
func (c *txConn) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	return row{c.tx.QueryRow(ctx, sql, args...), c.fail}
}

// reader runs single reads, each on a connection of the pool.
type reader struct {
	pool    *pgxpool.Pool
	timeout time.Duration
}

// Exec implements store.Conn.
func (r *reader) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	tag, err := r.pool.Exec(ctx, sql, args...)
	return tag.RowsAffected(), translate(err)
}

// Query implements store.Conn.
func (r *reader) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	found, err := r.pool.Query(ctx, sql, args...)
	if err != nil {
		cancel()
		return nil, translate(err)
	}
	return &rows{Rows: found, fail: translate, done: cancel}, nil
}

// QueryRow implements store.Conn.
func (r *reader) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	return row{cancelled{r.pool.QueryRow(ctx, sql, args...), cancel}, translate}
}

// cancelled ends the time limit of a row once it was read.
type cancelled struct {
	pgx.Row
	cancel context.CancelFunc
}

// Scan implements pgx.Row.
func (c cancelled) Scan(dest ...any) error {
	defer c.cancel()
	return c.Row.Scan(dest...)
}

// rows adapts pgx.Rows to store.Rows.
type rows struct {
	pgx.Rows
	fail func(error) error
	done func()
}

// Scan implements store.Row.
func (r *rows) Scan(dest ...any) error { return r.fail(r.Rows.Scan(dest...)) }

// Err implements store.Rows.
func (r *rows) Err() error { return r.fail(r.Rows.Err()) }

// Close implements store.Rows.
func (r *rows) Close() {
	r.Rows.Close()
	r.done()
}

// row adapts pgx.Row to store.Row.
type row struct {
	pgx.Row
	fail func(error) error
}

// Scan implements store.Row.
func (r row) Scan(dest ...any) error {
	err := r.Row.Scan(dest...)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.ErrNoRows
	}
	return r.fail(err)
}
