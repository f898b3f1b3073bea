package storetest

import (
	"context"
	"errors"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// act is a typical use: a code redeemed, a grant, an event.
func act(ctx context.Context, tx store.Tx) error {
	if err := tx.CreateGrant(ctx, grant("g1", noon())); err != nil {
		return err
	}
	if err := tx.PutConsent(ctx, record("c1", 1), 0); err != nil {
		return err
	}
	if _, err := tx.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: "c1"}, noon()); err != nil {
		return err
	}
	return tx.AppendAudit(ctx, event("e1", noon()))
}

// untouched checks that act left nothing.
func untouched(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	_, err := s.GrantByID(ctx, tenant, "g1")
	fails(t, err, errs.NotFound)
	_, err = s.ConsentByID(ctx, tenant, "c1")
	fails(t, err, errs.NotFound)
	equal(t, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t), int64(0))
	equal(t, got(s.CodeByHash(ctx, tenant, "c1"))(t), code())
	equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), 0)
}

func rollback(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.CreateCode(ctx, code()))
	refused := errors.New("refused")
	err := s.InTx(ctx, func(tx store.Tx) error {
		must(t, act(ctx, tx))
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatalf("got %v", err)
	}
	untouched(t, s)
	must(t, s.InTx(ctx, func(tx store.Tx) error { return act(ctx, tx) }))
	equal(t, got(s.GrantByID(ctx, tenant, "g1"))(t), grant("g1", noon()))
	equal(t, got(s.CodeByHash(ctx, tenant, "c1"))(t).Used, noon())
	equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), 1)
}

// D8: no event, no act.
func auditAborts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.CreateCode(ctx, code()))
	must(t, s.AppendAudit(ctx, audit.Event{ID: "e1", Tenant: other, Kind: audit.LoggedOut}))
	err := s.InTx(ctx, func(tx store.Tx) error {
		if err := act(ctx, tx); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, audit.Event{ID: "e1", Tenant: other})
	})
	fails(t, err, errs.Conflict)
	untouched(t, s)
}

func panicAborts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.CreateCode(ctx, code()))
	func() {
		defer func() { equal(t, recover(), "boom") }()
		_ = s.InTx(ctx, func(tx store.Tx) error {
			must(t, act(ctx, tx))
			panic("boom")
		})
	}()
	untouched(t, s)
	must(t, s.InTx(ctx, func(tx store.Tx) error { return act(ctx, tx) }))
}

// On PostgreSQL a failed statement ends the transaction; so it does everywhere.
func swallowedFailure(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.CreateCode(ctx, code()))
	err := s.InTx(ctx, func(tx store.Tx) error {
		must(t, act(ctx, tx))
		_ = tx.CreateGrant(ctx, grant("g1", noon()))
		_, err := tx.GrantByID(ctx, tenant, "g1")
		fails(t, err, errs.Conflict)
		return nil
	})
	fails(t, err, errs.Conflict)
	untouched(t, s)
}

// D1: a refusal that has effects is committed; a lost compare-and-set or an
// absent row must not spoil the transaction.
func answersCommit(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.UseAssertion(ctx, tenant, "iss", "jti", noon()))
	must(t, s.PutConsent(ctx, record("c1", 1), 0))
	// What a try was told counts only if it commits.
	var told []error
	used := true
	must(t, s.InTx(ctx, func(tx store.Tx) (err error) {
		_, none := tx.GrantByID(ctx, tenant, "none")
		_, nul := tx.PersonByUsername(ctx, tenant, "\x00")
		told = []error{none, nul, tx.UseAssertion(ctx, tenant, "iss", "jti", noon()),
			tx.PutConsent(ctx, record("c1", 1), 0), tx.PutConsent(ctx, record("c1", 5), 4)}
		if used, err = tx.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: "none"}, noon()); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, event("e1", noon()))
	}))
	for i, kind := range []errs.Kind{errs.NotFound, errs.NotFound, errs.Conflict, errs.Conflict, errs.PreconditionFailed} {
		fails(t, told[i], kind)
	}
	equal(t, used, false)
	equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), 1)
}

func ownWrites(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.InTx(ctx, func(tx store.Tx) error {
		must(t, tx.CreateGrant(ctx, grant("g1", noon())))
		equal(t, got(tx.GrantByID(ctx, tenant, "g1"))(t), grant("g1", noon()))
		_, err := s.GrantByID(ctx, tenant, "g1")
		fails(t, err, errs.NotFound)
		return nil
	}))
	equal(t, got(s.GrantByID(ctx, tenant, "g1"))(t), grant("g1", noon()))
}

func cancelled(t *testing.T, s *store.Store) {
	must(t, s.CreateCode(t.Context(), code()))
	ctx, cancel := context.WithCancel(t.Context())
	err := s.InTx(ctx, func(tx store.Tx) error {
		must(t, act(ctx, tx))
		cancel()
		_, err := tx.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: "c1"}, noon())
		return err
	})
	fails(t, err, errs.Unavailable)
	untouched(t, s)
	fails(t, s.CreateGrant(ctx, grant("g1", noon())), errs.Unavailable)
	_, err = s.GrantByID(ctx, tenant, "g1")
	fails(t, err, errs.Unavailable)
}
