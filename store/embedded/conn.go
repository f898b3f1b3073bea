package embedded

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// writeConn is the write connection with its prepared statements. One
// goroutine at a time uses it.
type writeConn struct {
	conn  *sql.Conn
	cache map[string]*sql.Stmt
}

// prepare gives the statement, compiled once. The texts are constants of
// package store, so the cache is bounded.
func (c *writeConn) prepare(text string) (*sql.Stmt, error) {
	if s := c.cache[text]; s != nil {
		return s, nil
	}
	s, err := c.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, err
	}
	c.cache[text] = s
	return s, nil
}

// control runs BEGIN, COMMIT and their like.
func (c *writeConn) control(text string) error {
	s, err := c.prepare(text)
	if err == nil {
		_, err = s.Exec()
	}
	return translate(err)
}

func (c *writeConn) close() error {
	var all []error
	for _, s := range c.cache {
		all = append(all, s.Close())
	}
	return errors.Join(append(all, c.conn.Close())...)
}

// reader spreads single reads over the read connections.
type reader struct {
	db    *sql.DB
	cache sync.Map // text → *sql.Stmt
}

func (r *reader) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if s, ok := r.cache.Load(text); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := r.db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if kept, loaded := r.cache.LoadOrStore(text, s); loaded {
		return kept.(*sql.Stmt), s.Close()
	}
	return s, nil
}

// Exec implements store.Conn: reads only, so every writing statement fails.
func (r *reader) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	return affected(r.db.ExecContext(ctx, text, args...))
}

// Later implements store.Conn.
func (r *reader) Later(bool, string, ...any) error {
	return errs.New(errs.Internal, "transaction-over", "A statement was queued outside of a transaction.")
}

// Query implements store.Conn.
func (r *reader) Query(ctx context.Context, text string, args ...any) (store.Rows, error) {
	s, err := r.prepare(ctx, text)
	if err != nil {
		return nil, translate(err)
	}
	return wrap(s.QueryContext(ctx, args...))
}

// QueryRow implements store.Conn.
func (r *reader) QueryRow(ctx context.Context, text string, args ...any) store.Row {
	return store.First(r.Query(ctx, text, args...))
}

func (r *reader) close() error {
	var all []error
	r.cache.Range(func(_, s any) bool {
		all = append(all, s.(*sql.Stmt).Close())
		return true
	})
	return errors.Join(append(all, r.db.Close())...)
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, translate(err)
	}
	n, err := res.RowsAffected()
	return n, translate(err)
}

// rows adapts *sql.Rows to store.Rows.
type rows struct{ *sql.Rows }

func wrap(r *sql.Rows, err error) (store.Rows, error) {
	if err != nil {
		return nil, translate(err)
	}
	return rows{r}, nil
}

// Err implements store.Rows.
func (r rows) Err() error { return translate(r.Rows.Err()) }

// Close implements store.Rows; what went wrong is told by Err.
func (r rows) Close() { _ = r.Rows.Close() }
