package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

// The codes of PostgreSQL's appendix A that mean something to Mandate.
const (
	divisionByZero       = "22012"
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	readOnlyTransaction  = "25006"
	queryCanceled        = "57014"
	lockNotAvailable     = "55P03"
	insufficientRight    = "42501"
	duplicateTable       = "42P07"
	classConnection      = "08"
	classResources       = "53"
	classIntervention    = "57"
	classSystem          = "58"
	classOwnFault        = "XX"
)

// translate turns driver errors into errs kinds. nil stays nil.
func translate(err error) error {
	var known *errs.Error
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.As(err, &pg):
		return translateCode(pg)
	case strings.Contains(err.Error(), "closed pool"):
		return errs.Wrap(err, errs.Unavailable, "store-closed", "The store is shutting down.")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return errs.Wrap(err, errs.Unavailable, "store-timeout", "The store did not answer in time.")
	case lostConnection(err):
		return errs.Wrap(err, errs.Unavailable, "store-unreachable", "The database cannot be reached.")
	}
	return errs.Wrap(err, errs.Internal, "store-fault", "The store refused a statement.")
}

func translateCode(err *pgconn.PgError) error {
	switch err.Code {
	case uniqueViolation, duplicateTable:
		return errs.Wrap(err, errs.Conflict, "already-exists", "There is such an entry already.")
	case serializationFailure, deadlockDetected, lockNotAvailable:
		return store.Contended(err)
	case insufficientRight:
		return errs.Wrap(err, errs.Internal, "store-forbidden", "The database role lacks a right: "+err.Message+".")
	case queryCanceled:
		return errs.Wrap(err, errs.Unavailable, "store-timeout", "The store did not answer in time.")
	case readOnlyTransaction:
		return errs.Wrap(err, errs.Unavailable, "store-read-only", "The database takes no writes at the moment.")
	}
	switch err.Code[:min(2, len(err.Code))] {
	case classResources:
		return errs.Wrap(err, errs.Unavailable, "store-full", "The database has no connections, memory or disk left.")
	case classOwnFault:
		// Such as a file that may not grow, by a limit in place of a full disk. The
		// statement is none the worse for it, and may do later.
		return errs.Wrap(err, errs.Unavailable, "store-unreachable", "The database has a fault of its own.")
	case classConnection, classIntervention, classSystem:
		return errs.Wrap(err, errs.Unavailable, "store-unreachable", "The database cannot be reached.")
	}
	return errs.Wrap(err, errs.Internal, "store-fault", "The store refused a statement.")
}

// lostConnection reports whether the way to the server failed, not the server.
func lostConnection(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) ||
		// pgx gives this one without a type.
		strings.Contains(err.Error(), "conn closed")
}

// stale reports whether the connection leads to a server that is going away or
// no longer takes writes, as after a failover.
func stale(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == readOnlyTransaction ||
		strings.HasPrefix(pg.Code, classIntervention) && pg.Code != queryCanceled)
}

// beforeCommit translates the failure of a statement inside a transaction:
// when only the connection was lost, nothing has happened and the whole may be
// run again on another one.
func beforeCommit(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	lost := !errors.As(err, &pg) && lostConnection(err) && !errors.Is(err, context.DeadlineExceeded) &&
		!errors.Is(err, context.Canceled)
	if stale(err) || lost {
		return store.Contended(err)
	}
	return translate(err)
}

// commitError translates the failure of a commit. Unless the server said so,
// nobody knows whether it happened.
func commitError(err error) error {
	var pg *pgconn.PgError
	var known *errs.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.As(err, &pg) && (pg.Code == serializationFailure || pg.Code == deadlockDetected):
		return store.Contended(err)
	case errors.As(err, &pg), errors.Is(err, pgx.ErrTxCommitRollback):
		return translate(err)
	}
	return errs.Wrap(err, errs.Unavailable, "commit-unconfirmed", "The database did not confirm the change.")
}

// writable accepts only a host that takes writes, so that of several hosts in
// the DSN the primary is found.
func writable(ctx context.Context, conn *pgconn.PgConn) error {
	return pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn)
}
