package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// race runs f n times at once and gives how many calls won. A call loses with
// false or with an error of the kind lost; any other error fails the test.
func race(t *testing.T, n int, lost errs.Kind, f func(i int) (bool, error)) int {
	t.Helper()
	var wg sync.WaitGroup
	start := make(chan struct{})
	won := make([]bool, n)
	failed := make([]error, n)
	for i := range n {
		wg.Go(func() {
			<-start
			won[i], failed[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	winners := 0
	for i := range n {
		if failed[i] != nil && !errs.Is(failed[i], lost) {
			t.Fatalf("racer %d: %v", i, failed[i])
		}
		if won[i] && failed[i] == nil {
			winners++
		}
	}
	return winners
}

// AZ-16: of many parallel redemptions one succeeds, alone or inside a larger
// transaction.
func codeRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.CreateCode(ctx, code()))
	equal(t, race(t, 50, "", func(int) (bool, error) { return s.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: "c1"}, noon()) }), 1)

	second := code()
	second.Hash = "c2"
	must(t, s.CreateCode(ctx, second))
	equal(t, race(t, 50, errs.InvalidGrant, func(i int) (bool, error) {
		err := s.InTx(ctx, func(tx store.Tx) error {
			ok, err := tx.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: "c2"}, noon())
			if err != nil {
				return err
			}
			if !ok {
				return errs.New(errs.InvalidGrant, "code-used", "")
			}
			return tx.AppendAudit(ctx, event(fmt.Sprint("e", i), noon()))
		})
		return err == nil, err
	}), 1)
	equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), 1)
}

// Who lost a race finds the winner's work when it looks: a request that lost a
// rotation reads the successor (SMART REF-09).
func loserLooks(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for round := range 40 {
		c := code()
		c.Hash = fmt.Sprint("round", round)
		must(t, s.CreateCode(ctx, c))
		race(t, 8, "", func(int) (bool, error) {
			err := s.InTx(ctx, func(tx store.Tx) error {
				first, err := tx.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: c.Hash}, noon())
				if err == nil && !first {
					err = errs.New(errs.InvalidGrant, "code-used", "")
				}
				return err
			})
			if !errs.Is(err, errs.InvalidGrant) {
				return true, err
			}
			found, err := s.CodeByHash(ctx, tenant, c.Hash)
			if err == nil && found.Used.IsZero() {
				err = fmt.Errorf("round %d: a loser finds the code unused", round)
			}
			return false, err
		})
	}
}

// SMART ASY-10.
func assertionRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, race(t, 20, errs.Conflict, func(i int) (bool, error) {
		err := s.UseAssertion(ctx, tenant, "iss", "jti", noon().Add(time.Duration(i)*time.Second))
		return err == nil, err
	}), 1)
}

func guardRaces(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, begin(ctx, s))
	must(t, s.CreateGrant(ctx, grant("g1", noon())))
	must(t, s.CreateLaunch(ctx, launch()))
	equal(t, race(t, 20, "", func(int) (bool, error) { return s.RotateRefresh(ctx, follows("r1", "r2", noon())) }), 1)
	equal(t, race(t, 20, "", func(int) (bool, error) { return s.RevokeGrant(ctx, tenant, "g1", "x", noon()) }), 1)
	equal(t, race(t, 20, "", func(i int) (bool, error) { return s.UseLaunch(ctx, tenant, "l1", fmt.Sprint(i), noon()) }), 1)
	must(t, s.CreatePushed(ctx, pushed()))
	equal(t, race(t, 20, "", func(int) (bool, error) { return s.UsePushed(ctx, tenant, "q1", noon()) }), 1)
	must(t, s.PutPending(ctx, pending()))
	equal(t, race(t, 20, "", func(int) (bool, error) { return s.FinishPending(ctx, tenant, "f1", "", noon()) }), 1)
}

func versionRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	put := func(version int) func(int) (bool, error) {
		return func(int) (bool, error) {
			err := s.PutConsent(ctx, record("c1", version), version-1)
			return err == nil, err
		}
	}
	equal(t, race(t, 10, errs.Conflict, put(1)), 1)
	for v := 2; v <= 4; v++ {
		equal(t, race(t, 10, errs.PreconditionFailed, put(v)), 1)
	}
	equal(t, len(got(s.ConsentHistory(ctx, tenant, "c1"))(t)), 4)
	equal(t, got(s.ConsentEpoch(ctx, tenant, "rosa"))(t), int64(4))
	must(t, s.PutRelatedPerson(ctx, related(1), 0))
	equal(t, race(t, 10, errs.PreconditionFailed, func(int) (bool, error) {
		err := s.PutRelatedPerson(ctx, related(2), 1)
		return err == nil, err
	}), 1)
}

func factorRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.PutFactor(ctx, identity.Factor{Tenant: tenant, ID: "a", PersonID: "p", Kind: identity.FactorTOTP, Secret: []byte("x")}))
	equal(t, race(t, 20, "", func(int) (bool, error) { return s.AdvanceFactor(ctx, tenant, "a", 5) }), 1)
}

func secretRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var mu sync.Mutex
	seen := map[string]bool{}
	race(t, 20, "", func(i int) (bool, error) {
		v, err := s.Secret(ctx, tenant, "cookies", func() []byte { return fmt.Append(nil, i) })
		mu.Lock()
		defer mu.Unlock()
		seen[string(v)] = true
		return true, err
	})
	equal(t, len(seen), 1)
}

// Every failure sees those counted before it, so a limit cannot be overrun by
// trying in parallel.
func failureRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var mu sync.Mutex
	seen := map[int]bool{}
	race(t, 20, "", func(int) (bool, error) {
		n, err := s.CountFailure(ctx, tenant, "rosa", noon(), time.Hour)
		mu.Lock()
		defer mu.Unlock()
		seen[n] = true
		return true, err
	})
	equal(t, len(seen), 20)
	equal(t, got(s.Failures(ctx, tenant, "rosa", noon(), time.Hour))(t), 20)
}

// Writers that fail, panic or give up among others harm nobody.
func manyWriters(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const n = 120
	race(t, n, errs.Forbidden, func(i int) (bool, error) {
		defer func() { _ = recover() }()
		mine, cancel := context.WithCancel(ctx)
		defer cancel()
		err := s.InTx(mine, func(tx store.Tx) error {
			if err := tx.CreateGrant(mine, grant(fmt.Sprintf("g%03d", i), noon())); err != nil {
				return err
			}
			switch i % 4 {
			case 1:
				return errs.New(errs.Forbidden, "no", "")
			case 2:
				panic("boom")
			case 3:
				cancel()
				if err := tx.AppendAudit(mine, event("", noon())); err != nil {
					return errs.New(errs.Forbidden, "gone", "")
				}
			}
			return tx.AppendAudit(mine, event("", noon()))
		})
		return err == nil, err
	})
	equal(t, len(got(s.GrantsOfPatient(ctx, tenant, "rosa"))(t)), n/4)
	equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), n/4)
}
