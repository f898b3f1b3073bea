package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/store"
)

func keySections() []section {
	return []section{
		{"data keys", dataKeys},
		{"the first of a key counts", firstKeyCounts},
		{"one data key for all", dataKeyRace},
		{"the first act of a tenant", firstAct},
		{"a data key undone with its transaction", dataKeyUndone},
		{"ends of keys", keyEnds},
	}
}

// openKeys makes the keys of the tenants, as a server does at its start; a
// transaction that finds none is undone and run again.
func openKeys(t *testing.T, s *store.Store) {
	t.Helper()
	for _, name := range []string{tenant, other} {
		must(t, s.OpenKeys(t.Context(), name))
	}
}

func secretConsent(id, patient string) consent.Record {
	return consent.Record{Tenant: tenant, ID: id, Patient: patient, JSON: []byte("the secret of " + patient)}
}

// SE-02: each patient has a data key, made once, also inside a transaction,
// and the tenant has one.
func dataKeys(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.PutConsent(ctx, secretConsent("c1", "rosa"), 0))
	must(t, s.InTx(ctx, func(tx store.Tx) error {
		if err := tx.PutConsent(ctx, secretConsent("c2", "luis"), 0); err != nil {
			return err
		}
		_, err := tx.ConsentByID(ctx, tenant, "c2")
		return err
	}))
	must(t, s.PutConsent(ctx, secretConsent("c3", "luis"), 0))
	equal(t, string(got(s.ConsentByID(ctx, tenant, "c2"))(t).JSON), "the secret of luis")
	for _, subject := range []string{"", "rosa", "luis"} {
		all := got(s.DataKeys(ctx, tenant, subject))(t)
		if len(all) != 1 || all[0].Parent != 1 || len(all[0].Wrapped) < 32 {
			t.Errorf("keys of %q: %d", subject, len(all))
		}
	}
	equal(t, got(s.DataKeySubjects(ctx, tenant, "", 10))(t), []string{"luis", "rosa"})
	equal(t, got(s.DataKeySubjects(ctx, tenant, "luis", 10))(t), []string{"rosa"})
	equal(t, got(s.KeyTenants(ctx))(t), []string{other, tenant})
	equal(t, len(got(s.TenantKeys(ctx, tenant))(t)), 1)
	equal(t, len(got(s.DataKeysUnder(ctx, tenant, 2, 2))(t)), 2)
	equal(t, len(got(s.DataKeysUnder(ctx, tenant, 1, 2))(t)), 0)
}

// The first of a version counts, and only a transaction keeps keys to itself.
func firstKeyCounts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	tk := keys.TenantKey{Tenant: "third", Version: 1, KEK: "k1", Wrapped: []byte("one"), Created: noon(), Active: noon()}
	dk := keys.DataKey{Tenant: "third", Subject: "rosa", Version: 1, Parent: 1, Wrapped: []byte("one"), Created: noon(), Active: noon()}
	must(t, s.AddTenantKey(ctx, tk))
	must(t, s.AddDataKey(ctx, dk))
	late, lateTenant := dk, tk
	late.Wrapped, lateTenant.Wrapped = []byte("two"), []byte("two")
	must(t, s.AddTenantKey(ctx, lateTenant))
	must(t, s.AddDataKey(ctx, late))
	equal(t, got(s.TenantKeys(ctx, "third"))(t), []keys.TenantKey{tk})
	equal(t, got(s.DataKeys(ctx, "third", "rosa"))(t), []keys.DataKey{dk})
	must(t, s.KeysChanged(ctx, "third"))
	equal(t, got(s.OldestPatientKey(ctx, "third"))(t), noon())
	equal(t, got(s.OldestPatientKey(ctx, "fourth"))(t).IsZero(), true)
	must(t, s.InTx(ctx, func(tx store.Tx) error {
		if s.Kept() != nil || tx.Kept() == nil {
			t.Error("keys of a transaction are not its own")
		}
		return nil
	}))
}

// Of many first writers about a patient one makes the key, and all can be read.
func dataKeyRace(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var wg sync.WaitGroup
	failed := make([]error, 12)
	for i := range failed {
		wg.Go(func() {
			failed[i] = s.InTx(ctx, func(tx store.Tx) error {
				return tx.PutConsent(ctx, secretConsent("c"+string(rune('a'+i)), "rosa"), 0)
			})
		})
	}
	wg.Wait()
	must(t, errors.Join(failed...))
	equal(t, len(got(s.DataKeys(ctx, tenant, "rosa"))(t)), 1)
	equal(t, len(got(s.ConsentsOfPatient(ctx, tenant, "rosa"))(t)), len(failed))
}

// The first act of a tenant makes its key, outside of the transaction.
func firstAct(t *testing.T, s *store.Store) {
	ctx, tries := t.Context(), 0
	must(t, s.InTx(ctx, func(tx store.Tx) error {
		tries++
		v := secretConsent("c1", "rosa")
		v.Tenant = "third"
		return tx.PutConsent(ctx, v, 0)
	}))
	equal(t, tries, 2)
	equal(t, string(got(s.ConsentByID(ctx, "third", "c1"))(t).JSON), "the secret of rosa")
}

// A key that was rolled back is used by nobody afterwards.
func dataKeyUndone(t *testing.T, s *store.Store) {
	ctx := t.Context()
	boom := errs.New(errs.Forbidden, "boom", "")
	fails(t, s.InTx(ctx, func(tx store.Tx) error {
		if err := tx.PutConsent(ctx, secretConsent("c1", "rosa"), 0); err != nil {
			return err
		}
		return boom
	}), errs.Forbidden)
	equal(t, len(got(s.DataKeys(ctx, tenant, "rosa"))(t)), 0)
	must(t, s.PutConsent(ctx, secretConsent("c1", "rosa"), 0))
	equal(t, len(got(s.DataKeys(ctx, tenant, "rosa"))(t)), 1)
	equal(t, string(got(s.ConsentByID(ctx, tenant, "c1"))(t).JSON), "the secret of rosa")
}

// SG-10: a key's end is never put off, and once it is due nothing of the key is
// left but the fact.
func keyEnds(t *testing.T, s *store.Store) {
	ctx, end := t.Context(), noon().Add(time.Hour)
	must(t, s.PutConsent(ctx, secretConsent("c1", "rosa"), 0))
	must(t, s.EndDataKeys(ctx, tenant, "rosa", 2, noon(), time.Time{}))
	must(t, s.EndDataKeys(ctx, tenant, "rosa", 2, noon().Add(time.Hour), end))
	must(t, s.EndDataKeys(ctx, tenant, "rosa", 2, noon(), end.Add(time.Hour)))
	k := got(s.DataKeys(ctx, tenant, "rosa"))(t)[0]
	if !k.Retired.Equal(noon()) || !k.Destroy.Equal(end) || !k.Destroyed.IsZero() {
		t.Errorf("%+v", k)
	}
	equal(t, len(got(s.DestroyKeys(ctx, end.Add(-time.Microsecond)))(t)), 0)
	equal(t, len(got(s.DestroyKeys(ctx, end))(t)), 1)
	equal(t, len(got(s.DestroyKeys(ctx, end))(t)), 0)
	k = got(s.DataKeys(ctx, tenant, "rosa"))(t)[0]
	if len(k.Wrapped) != 0 || !k.Destroyed.Equal(end) {
		t.Errorf("%+v", k)
	}
	won := got(s.RewrapDataKey(ctx, keys.DataKey{Tenant: tenant, Subject: "rosa", Version: 1, Parent: 2, Wrapped: []byte("y")}, 1))(t)
	equal(t, won, false)

	must(t, s.EndTenantKeys(ctx, tenant, 2, end))
	equal(t, got(s.RewrapTenantKey(ctx, keys.TenantKey{Tenant: tenant, Version: 1, KEK: "k2", Wrapped: []byte("z")}, "other"))(t), false)
	was := got(s.TenantKeys(ctx, tenant))(t)[0].KEK
	equal(t, len(got(s.DestroyKeys(ctx, end))(t)), 0) // the tenant's own data key lives under it
	must(t, s.EndDataKeys(ctx, tenant, "", 2, noon(), end))
	equal(t, got(s.RewrapTenantKey(ctx, keys.TenantKey{Tenant: tenant, Version: 1, KEK: "k2", Wrapped: []byte("z")}, was))(t), true)
	equal(t, len(got(s.DestroyKeys(ctx, end))(t)), 2)
	equal(t, got(s.RewrapTenantKey(ctx, keys.TenantKey{Tenant: tenant, Version: 1, KEK: "k3", Wrapped: []byte("z")}, "k2"))(t), false)
}
