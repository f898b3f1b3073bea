package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// failing is an engine that gives one statement, or the commit, an error in
// place of running it.
type failing struct {
	store.Engine
	// at is the number of the statement to fail, counted from 0; seen counts
	// those that came by. err is what it gets.
	at, seen int
	err      error
}

// InTx implements store.Engine.
func (f *failing) InTx(ctx context.Context, fn func(store.Conn) error) error {
	return f.Engine.InTx(ctx, func(c store.Conn) error {
		if err := fn(failingConn{c, f}); err != nil {
			return err
		}
		return f.next() // the commit
	})
}

// failingConn is the connection of one transaction.
type failingConn struct {
	store.Conn
	of *failing
}

func (f *failing) next() error {
	f.seen++
	if f.seen-1 == f.at {
		return f.err
	}
	return nil
}

// Later implements store.Conn.
func (c failingConn) Later(must bool, sql string, args ...any) error {
	if err := c.of.next(); err != nil {
		return err
	}
	return c.Conn.Later(must, sql, args...)
}

// Exec implements store.Conn.
func (c failingConn) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if err := c.of.next(); err != nil {
		return 0, err
	}
	return c.Conn.Exec(ctx, sql, args...)
}

// Query implements store.Conn.
func (c failingConn) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	if err := c.of.next(); err != nil {
		return nil, err
	}
	return c.Conn.Query(ctx, sql, args...)
}

// QueryRow implements store.Conn.
func (c failingConn) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	if err := c.of.next(); err != nil {
		return failedRow{err}
	}
	return c.Conn.QueryRow(ctx, sql, args...)
}

type failedRow struct{ err error }

// Scan implements store.Row.
func (r failedRow) Scan(...any) error { return r.err }

// actAs is act under names of its own.
func actAs(ctx context.Context, tx store.Tx, id string) error {
	if err := tx.CreateGrant(ctx, grant(id, noon())); err != nil {
		return err
	}
	rec := record(id, 1)
	if err := tx.PutConsent(ctx, rec, 0); err != nil {
		return err
	}
	if _, err := tx.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: id}, noon()); err != nil {
		return err
	}
	return tx.AppendAudit(ctx, event(id, noon()))
}

// eachStatement runs an act once for each of its statements, failing that one,
// and lets judge look at the outcome; the last act runs without a fault.
func eachStatement(t *testing.T, e store.Engine, fault error, judge func(s *store.Store, id string, err error)) {
	t.Helper()
	o, ctx := Options(t), t.Context()
	s := migratedWith(t, e, o)
	for at := range 100 {
		id := fmt.Sprint("act-", at)
		c := code()
		c.Hash = id
		must(t, s.CreateCode(ctx, c))
		f := &failing{Engine: e, at: at, err: fault}
		err := store.New(f, o).InTx(ctx, func(tx store.Tx) error { return actAs(ctx, tx, id) })
		if f.seen <= at {
			must(t, err)
			if at < 4 {
				t.Errorf("the act has only %d statements", at)
			}
			return
		}
		judge(s, id, err)
	}
	t.Error("the act does not end")
}

// A store that goes away at any statement leaves no part of the act behind.
func faultAtEach(t *testing.T, e store.Engine) {
	ctx := t.Context()
	down := errs.Wrap(errors.New("gone"), errs.Unavailable, "store-unreachable", "The database cannot be reached.")
	eachStatement(t, e, down, func(s *store.Store, id string, err error) {
		fails(t, err, errs.Unavailable)
		_, err = s.GrantByID(ctx, tenant, id)
		fails(t, err, errs.NotFound)
		_, err = s.ConsentByID(ctx, tenant, id)
		fails(t, err, errs.NotFound)
		equal(t, got(s.CodeByHash(ctx, tenant, id))(t).Used.IsZero(), true)
		equal(t, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t), int64(0))
		equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), 0)
	})
}

// A race lost at any statement is run again and has its effect once.
func raceAtEach(t *testing.T, e store.Engine) {
	ctx, acts := t.Context(), 0
	eachStatement(t, e, store.Contended(errors.New("40001")), func(s *store.Store, id string, err error) {
		must(t, err)
		acts++
		equal(t, got(s.GrantByID(ctx, tenant, id))(t).ID, id)
		equal(t, got(s.CodeByHash(ctx, tenant, id))(t).Used, noon())
		equal(t, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t), int64(acts))
		equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), acts)
	})
}
