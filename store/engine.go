package store

import (
	"context"
	"errors"

	"github.com/mandate-health/mandate/internal/errs"
)

// Row is one row of an answer.
type Row interface {
	// Scan copies the columns. Errors: ErrNoRows when the answer was empty.
	Scan(dest ...any) error
}

// Rows is an answer being read. Close is safe to call twice.
type Rows interface {
	Row
	Next() bool
	Err() error
	Close()
}

// Conn runs statements with numbered parameters ($1, $2, …). Its errors are
// already translated: errs.Conflict for a broken unique constraint,
// errs.Unavailable (with a Retry inside when trying again may help) for a store
// that does not answer, errs.Internal for the rest.
type Conn interface {
	// Exec runs a statement and gives the number of rows it touched.
	Exec(ctx context.Context, sql string, args ...any) (int64, error)
	Query(ctx context.Context, sql string, args ...any) (Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) Row
	// Later queues a writing statement of a transaction. It goes out with the
	// next one that is answered, or with the commit, so that a transaction which
	// only writes takes one round trip. A statement that must touch a row and
	// does not, or that breaks a unique constraint, fails the transaction with an
	// Unanswered inside. Errors: errs.Internal outside of a transaction.
	Later(must bool, sql string, args ...any) error
}

// Engine is one kind of database.
type Engine interface {
	// InTx runs fn in one transaction: durable when it returns nil, without
	// any effect otherwise, unless the answer to the commit was lost
	// (errs.Unavailable). It does not try again by itself.
	InTx(ctx context.Context, fn func(Conn) error) error
	// Read gives a connection for single reads outside of transactions. They
	// see everything that was committed before.
	Read() Conn
	// Ping reports whether the store answers. Errors: errs.Unavailable.
	Ping(ctx context.Context) error
	Dialect() Dialect
	Snapshots
	// Close waits for the transactions under way and frees everything.
	Close() error
}

// Snapshots reads everything as of one moment.
type Snapshots interface {
	// Snapshot runs fn on a connection whose reads all see what was committed
	// when the first began, for as long as fn takes. It hinders no writer.
	Snapshot(ctx context.Context, fn func(Conn) error) error
}

// Dialect holds every piece of SQL in which the engines differ, so that there
// is one place to look for and to add one: a field here, its text in the
// Dialect method of each engine. The table of exceptions in
// docs/operations/scale.md names them all, and a test compares.
type Dialect struct {
	// Name is "sqlite" or "postgres".
	Name string
	// HasTable counts the tables named $1 that statements without a schema
	// name would reach: 0 or 1.
	HasTable string
	// AsOf is a query for the time, in microseconds, before which this database
	// has every commit: now, or for a replica when the newest one it has was
	// made.
	AsOf string
	// Integrity is a query that gives what is wrong with the files, a line each,
	// or "ok" alone; empty where that is the administrator's own tool's.
	Integrity string
	// BeforeMigration is run at the beginning of the transaction of each
	// migration: it keeps other nodes from migrating until the transaction
	// ends, and the migration from standing in the way of requests.
	BeforeMigration []string
	// SkipLocked is put behind a SELECT whose rows will be deleted, so that
	// two nodes do not wait for each other.
	SkipLocked string
	// Notify is a statement that tells listeners of a change when its
	// transaction commits; empty where there are none.
	Notify string
	// Columns lists the columns of Mandate's tables: table, column, type; in
	// the order of the tables' definition.
	Columns string
	// References lists the tables that refer to one another: the one that
	// refers, the one that must be there before.
	References string
	// Now is an expression: the database's own time in microseconds, as it
	// passes also inside a transaction.
	Now string
}

// First gives the first row of an answer, or the failure of the question; Scan
// closes the answer.
func First(r Rows, err error) Row { return firstRow{r, err} }

type firstRow struct {
	rows Rows
	err  error
}

// Scan implements Row.
func (r firstRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	return r.rows.Scan(dest...)
}

// ErrNoRows is given by Row.Scan for an empty answer.
var ErrNoRows = errors.New("store: no rows")

// Retry marks a transaction that lost a race in the database and may be run
// again as a whole: it had no effect.
type Retry struct{ Cause error }

// Error gives the text of the cause.
func (r *Retry) Error() string { return "store: transaction lost a race: " + r.Cause.Error() }

// Unwrap gives the cause.
func (r *Retry) Unwrap() error { return r.Cause }

// Contended makes the error of a transaction that may be run again.
func Contended(cause error) error {
	return errs.Wrap(&Retry{Cause: cause}, errs.Unavailable, "store-contended",
		"The store is busy with changes to the same data. Try again.")
}

// Unanswered marks a transaction whose queued statements did not end as was
// taken for granted. It had no effect; run again with each statement answered in
// turn, it ends as its caller decides.
type Unanswered struct{ Cause error }

// Error gives the text of the cause.
func (u *Unanswered) Error() string { return "store: a queued statement failed: " + u.Cause.Error() }

// Unwrap gives the cause.
func (u *Unanswered) Unwrap() error { return u.Cause }

// ErrMissed is the cause when a statement touched no row although it must.
var ErrMissed = errors.New("no row was touched")

// Queued makes the error of a transaction whose queued statement failed by
// missing its row or by breaking a unique constraint.
func Queued(cause error) error {
	return errs.Wrap(&Unanswered{Cause: cause}, errs.Conflict, "store-unanswered",
		"The store holds other data than was expected.")
}

func unanswered(err error) bool {
	var u *Unanswered
	return errors.As(err, &u)
}

func retryable(err error) bool {
	var r *Retry
	return errors.As(err, &r)
}
