package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// flaky is an engine whose transactions end as told.
type flaky struct {
	outcome func(try int) error
	tries   int
}

func (f *flaky) InTx(_ context.Context, fn func(store.Conn) error) error {
	f.tries++
	return fn(f)
}

func (f *flaky) Exec(context.Context, string, ...any) (int64, error) { return 1, f.outcome(f.tries) }

func (f *flaky) Later(bool, string, ...any) error { return f.outcome(f.tries) }
func (f *flaky) Query(context.Context, string, ...any) (store.Rows, error) {
	return nil, f.outcome(f.tries)
}
func (f *flaky) QueryRow(context.Context, string, ...any) store.Row { return f }
func (f *flaky) Scan(...any) error                                  { return store.ErrNoRows }
func (f *flaky) Read() store.Conn                                   { return f }
func (f *flaky) Ping(context.Context) error                         { return nil }
func (f *flaky) Dialect() store.Dialect                             { return store.Dialect{} }
func (f *flaky) Snapshot(_ context.Context, fn func(store.Conn) error) error {
	return fn(f)
}
func (f *flaky) Close() error { return nil }

func TestInTxRunsAgain(t *testing.T) {
	lostRace := func(n int) func(int) error {
		return func(try int) error {
			if try <= n {
				return store.Contended(errors.New("40001"))
			}
			return nil
		}
	}
	always := func(kind errs.Kind) func(int) error {
		return func(int) error { return errs.New(kind, "x", "") }
	}
	// The room gives an error of its own; whether to run again is decided by
	// the cause.
	for name, c := range map[string]struct {
		outcome func(int) error
		tries   int
		kind    errs.Kind
	}{
		"at once":             {lostRace(0), 1, ""},
		"after three":         {lostRace(3), 4, ""},
		"never":               {lostRace(99), 10, errs.Unavailable},
		"not after a refusal": {always(errs.Conflict), 1, errs.InvalidGrant},
		"not when down":       {always(errs.Unavailable), 1, errs.InvalidGrant},
	} {
		t.Run(name, func(t *testing.T) {
			f := &flaky{outcome: c.outcome}
			s := store.New(f, store.Options{})
			err := s.InTx(t.Context(), func(tx store.Tx) error {
				if err := tx.CreateGrant(t.Context(), oauth.Grant{}); err != nil {
					return errs.New(errs.InvalidGrant, "own", "")
				}
				return nil
			})
			if errs.KindOf(err) != c.kind || f.tries != c.tries {
				t.Errorf("%d tries, error %v", f.tries, err)
			}
		})
	}
}

func TestInTxStopsWithItsContext(t *testing.T) {
	f := &flaky{outcome: func(int) error { return store.Contended(errors.New("40001")) }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := store.New(f, store.Options{}).CreateGrant(ctx, oauth.Grant{})
	if !errs.Is(err, errs.Unavailable) || f.tries != 1 {
		t.Errorf("%d tries, error %v", f.tries, err)
	}
}
