package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

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

// Later implements store.Conn.
func (r *reader) Later(bool, string, ...any) error {
	return errs.New(errs.Internal, "transaction-over", "A statement was queued outside of a transaction.")
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
