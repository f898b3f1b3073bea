package embedded

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// translate turns driver errors into errs kinds. nil stays nil.
func translate(err error) error {
	var known *errs.Error
	var lite *sqlite.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errs.Wrap(err, errs.Unavailable, "store-timeout", "The store did not answer in time.")
	case errors.Is(err, sql.ErrConnDone), err.Error() == "sql: database is closed":
		return errClosed()
	case errors.As(err, &lite):
		return translateCode(lite)
	}
	return errs.Wrap(err, errs.Internal, "store-fault", "The store refused a statement.")
}

func translateCode(err *sqlite.Error) error {
	switch err.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return errs.Wrap(err, errs.Conflict, "already-exists", "There is such an entry already.")
	}
	// The low byte is the primary code, the rest says which kind of it.
	switch err.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return store.Contended(err)
	case sqlite3.SQLITE_FULL:
		return errs.Wrap(err, errs.Unavailable, "store-full", "The disk of the data folder is full.")
	case sqlite3.SQLITE_INTERRUPT:
		return errs.Wrap(err, errs.Unavailable, "store-timeout", "The store did not answer in time.")
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return errs.Wrap(err, errs.Unavailable, "store-unreachable", "The data folder cannot be read or written.")
	}
	return errs.Wrap(err, errs.Internal, "store-fault", "The store refused a statement.")
}
