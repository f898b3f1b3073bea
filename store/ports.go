package store

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/watch"
)

// ports implements Tx over one connection. Its methods lie in one file per
// room. All access to the database passes exec, later, one and list.
type ports struct {
	conn   Conn
	sealer keys.Sealer
	ids    ids.Source
	clock  clock.Clock
	// dialect is where the engines differ.
	dialect Dialect
	// kept is the data keys of this transaction; nil outside of one.
	kept   *keys.Kept
	memo   *clientMemo
	packer *packer
	texts  *texts
	// newest says that every running node reads the newest stored form.
	newest *atomic.Bool
	// begin opens a transaction; nil inside of one.
	begin func(context.Context, func(*ports) error) error
	// eager says that every statement is to be answered at once.
	eager bool
	// failed is the first statement error of this transaction.
	failed error
	// changes are what this transaction makes old in memory.
	changes []watch.Change
	// events are those of this transaction.
	events []audit.Event
	// revocations are those of this transaction; journals tells whether a
	// journal waits for them.
	revocations []journal.Entry
	journals    bool
}

// atomic runs several statements in the transaction under way, or in one of
// their own.
func (p *ports) atomic(ctx context.Context, fn func(*ports) error) error {
	if p.begin == nil {
		return fn(p)
	}
	return p.begin(ctx, fn)
}

// exec runs a writing statement at once and gives the number of rows it touched.
func (p *ports) exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if p.begin != nil {
		var n int64
		err := p.begin(ctx, func(tx *ports) (err error) {
			n, err = tx.exec(ctx, sql, args...)
			return err
		})
		return n, err
	}
	if p.failed != nil {
		return 0, p.failed
	}
	if !storable(args) {
		return 0, errNotStorable()
	}
	n, err := p.conn.Exec(ctx, sql, args...)
	return n, p.note(err)
}

// write runs a statement whose row count says nothing. Its failure may be told
// by a later statement or by the commit.
func (p *ports) write(ctx context.Context, sql string, args ...any) error {
	return p.later(ctx, false, sql, args...)
}

// won runs a compare-and-set and reports whether a row was touched. That is
// taken for granted at first: the transaction in which it was not is undone and
// run again with every statement answered at once.
func (p *ports) won(ctx context.Context, sql string, args ...any) (ok bool, err error) {
	if p.begin != nil {
		err = p.begin(ctx, func(tx *ports) (err error) {
			ok, err = tx.won(ctx, sql, args...)
			return err
		})
		return ok && err == nil, err
	}
	if p.eager {
		n, err := p.exec(ctx, sql, args...)
		return n > 0, err
	}
	err = p.later(ctx, true, sql, args...)
	return err == nil, err
}

// add inserts a row unless there is one with its key already, and reports
// whether it did. As long as that is taken for granted the plain statement
// serves, which writes less than a conditional one; key are the columns.
func (p *ports) add(ctx context.Context, key, sql string, args ...any) (ok bool, err error) {
	switch {
	case p.begin != nil:
		err = p.begin(ctx, func(tx *ports) (err error) {
			ok, err = tx.add(ctx, key, sql, args...)
			return err
		})
		return ok && err == nil, err
	case p.eager:
		return p.won(ctx, sql+" ON CONFLICT ("+key+") DO NOTHING", args...)
	}
	err = p.later(ctx, false, sql, args...)
	return err == nil, err
}

// addUnless is add for a statement that inserts nothing under a condition of its
// own.
func (p *ports) addUnless(ctx context.Context, key, sql string, args ...any) (ok bool, err error) {
	if p.begin == nil && p.eager {
		sql += " ON CONFLICT (" + key + ") DO NOTHING"
	} else if p.begin != nil {
		err = p.begin(ctx, func(tx *ports) (err error) {
			ok, err = tx.addUnless(ctx, key, sql, args...)
			return err
		})
		return ok && err == nil, err
	}
	return p.won(ctx, sql, args...)
}

func (p *ports) later(ctx context.Context, must bool, sql string, args ...any) error {
	switch {
	case p.begin != nil:
		return p.begin(ctx, func(tx *ports) error { return tx.later(ctx, must, sql, args...) })
	case p.eager:
		_, err := p.exec(ctx, sql, args...)
		return err
	case p.failed != nil:
		return p.failed
	case ctx.Err() != nil:
		return p.note(errs.Wrap(ctx.Err(), errs.Unavailable, "store-timeout", "The store did not answer in time."))
	case !storable(args):
		return errNotStorable()
	}
	return p.note(p.conn.Later(must, sql, args...))
}

func errNotStorable() error {
	return errs.New(errs.Invalid, "text-not-storable", "A value holds a NUL character or is not UTF-8.")
}

// note remembers the first failure of a transaction.
func (p *ports) note(err error) error {
	if err != nil && p.begin == nil && p.failed == nil {
		p.failed = err
	}
	return err
}

// one reads one row. what names the thing in the errs.NotFound for none.
func one[T any](ctx context.Context, p *ports, what string, scan func(Row) (T, error), sql string, args ...any) (T, error) {
	var none T
	if p.failed != nil {
		return none, p.failed
	}
	if !storable(args) {
		return none, notFound(what)
	}
	v, err := scan(p.conn.QueryRow(ctx, sql, args...))
	switch {
	case errors.Is(err, ErrNoRows):
		return none, notFound(what)
	case err != nil:
		return none, p.note(err)
	}
	return v, nil
}

// list reads all rows. Nothing is unsealed while rows are open: the sealer may
// need the connection for a key.
func list[T any](ctx context.Context, p *ports, scan func(Row) (T, error), sql string, args ...any) ([]T, error) {
	if p.failed != nil {
		return nil, p.failed
	}
	if !storable(args) {
		return nil, nil
	}
	rows, err := p.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, p.note(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, p.note(err)
		}
		out = append(out, v)
	}
	return out, p.note(rows.Err())
}

// storable reports whether every text can be kept by each engine. What cannot
// be stored is never found: a request with a NUL in it is not a fault.
func storable(args []any) bool {
	for _, a := range args {
		if s, ok := a.(string); ok && (strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s)) {
			return false
		}
	}
	return true
}

func scanInt(r Row) (n int64, err error) {
	err = r.Scan(&n)
	return n, err
}

func notFound(what string) error {
	return errs.New(errs.NotFound, what+"-not-found", "There is no such "+what+".")
}
