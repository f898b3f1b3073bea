package keys_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/local"
)

// vault keeps wrapped keys for tests; inside stands for an open transaction.
type vault struct {
	keys.Vault
	mu      sync.Mutex
	tenants []keys.TenantKey
	data    []keys.DataKey
	kept    *keys.Kept
	reads   int
}

func (v *vault) Kept() *keys.Kept { return v.kept }

func (v *vault) TenantKeys(_ context.Context, tenant string) (out []keys.TenantKey, _ error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, k := range v.tenants {
		if k.Tenant == tenant {
			out = append(out, k)
		}
	}
	return out, nil
}

func (v *vault) AddTenantKey(_ context.Context, k keys.TenantKey) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !slices.ContainsFunc(v.tenants, func(o keys.TenantKey) bool { return o.Tenant == k.Tenant && o.Version == k.Version }) {
		v.tenants = append(v.tenants, k)
	}
	return nil
}

func (v *vault) DataKeys(_ context.Context, tenant, subject string) (out []keys.DataKey, _ error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reads++
	for _, k := range v.data {
		if k.Tenant == tenant && k.Subject == subject {
			out = append(out, k)
		}
	}
	return out, nil
}

func (v *vault) AddDataKey(_ context.Context, k keys.DataKey) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !slices.ContainsFunc(v.data, func(o keys.DataKey) bool {
		return o.Tenant == k.Tenant && o.Subject == k.Subject && o.Version == k.Version
	}) {
		v.data = append(v.data, k)
	}
	return nil
}

// counted counts the calls of a provider.
type counted struct {
	keys.Provider
	calls int
}

func (c *counted) Wrap(ctx context.Context, key, bound []byte) (keys.Wrapped, error) {
	c.calls++
	return c.Provider.Wrap(ctx, key, bound)
}

func (c *counted) Unwrap(ctx context.Context, w keys.Wrapped, bound []byte) ([]byte, error) {
	c.calls++
	return c.Provider.Unwrap(ctx, w, bound)
}

func provider(tb testing.TB) *counted {
	tb.Helper()
	p, err := local.Open(local.Config{Path: filepath.Join(tb.TempDir(), "kek.json"), Create: true})
	if err != nil {
		tb.Fatal(err)
	}
	return &counted{Provider: p}
}

var name = keys.Place{Tenant: "main", Table: "person", Column: "name", Row: "p1"}

func sealed(t *testing.T, e *keys.Envelope, v *vault, p keys.Place, text string) keys.Sealed {
	t.Helper()
	s, err := e.Seal(t.Context(), v, p, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func opened(t *testing.T, e *keys.Envelope, v *vault, p keys.Place, s keys.Sealed, want string) {
	t.Helper()
	if got, err := e.Open(t.Context(), v, p, s); err != nil || string(got) != want {
		t.Errorf("opened to %q: %v", got, err)
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// SE-01: a value opens at its place and nowhere else, and costs 30 bytes; not
// a bit of it can be changed.
func TestSealedToItsPlace(t *testing.T) {
	v := &vault{}
	e := keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider(t), Clock: clock.System{}})
	s := sealed(t, e, v, name, "Rosa")
	if len(s) != len("Rosa")+30 || s[0] != keys.SchemeAES || bytes.Contains(s, []byte("Rosa")) {
		t.Errorf("%d bytes: %x", len(s), s)
	}
	opened(t, e, v, name, s, "Rosa")
	opened(t, e, v, name, sealed(t, e, v, name, ""), "")
	if again := sealed(t, e, v, name, "Rosa"); bytes.Equal(s, again) {
		t.Error("sealed alike twice")
	}
	for i, p := range []keys.Place{
		{Tenant: "other", Table: "person", Column: "name", Row: "p1"},
		{Tenant: "main", Table: "persons", Column: "name", Row: "p1"},
		{Tenant: "main", Table: "person", Column: "nam", Row: "ep1"},
		{Tenant: "main", Table: "person", Column: "name", Row: "p2"},
		{Tenant: "main", Table: "person", Column: "name", Row: "p1", Subject: "rosa"},
	} {
		if _, err := e.Open(t.Context(), v, p, s); !errs.Is(err, errs.Internal) {
			t.Errorf("place %d: %v", i, err)
		}
	}
	for i := range s {
		bad := slices.Clone(s)
		bad[i] ^= 1
		if _, err := e.Open(t.Context(), v, name, bad); err == nil {
			t.Errorf("byte %d may be changed", i)
		}
		if _, err := e.Open(t.Context(), v, name, s[:i]); err == nil && i > 0 {
			t.Errorf("may be cut at %d", i)
		}
	}
}

// SE-02: the provider is asked once when a tenant's keys are made and once by
// each process that opens them; a cached data key is not read again.
func TestProviderIsNotAskedForValues(t *testing.T) {
	v, p := &vault{}, provider(t)
	a := keys.NewEnvelope(keys.EnvelopeConfig{Provider: p, Clock: clock.System{}})
	s := sealed(t, a, v, name, "Rosa")
	reads := v.reads
	for range 100 {
		opened(t, a, v, name, s, "Rosa")
		sealed(t, a, v, name, "Rosa")
	}
	if v.reads != reads {
		t.Errorf("%d reads for cached keys", v.reads-reads)
	}
	b := keys.NewEnvelope(keys.EnvelopeConfig{Provider: p, Clock: clock.System{}})
	opened(t, b, v, name, s, "Rosa")
	patient := name
	patient.Subject = "rosa"
	opened(t, b, v, patient, sealed(t, a, v, patient, "Rosa"), "Rosa")
	if p.calls != 3 || len(v.tenants) != 1 || len(v.data) != 2 {
		t.Errorf("%d provider calls, %d tenant keys, %d data keys", p.calls, len(v.tenants), len(v.data))
	}
}

// Inside a transaction no tenant key is made, because nobody may wait there for
// a key provider; and what a transaction made is not used after a rollback.
func TestKeysOfATransaction(t *testing.T) {
	v := &vault{kept: &keys.Kept{}}
	e := keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider(t), Clock: clock.System{}})
	_, err := e.Seal(t.Context(), v, name, nil)
	wantCode(t, err, "tenant-keys-missing")
	v.kept = nil
	sealed(t, e, v, name, "Rosa")
	tx := &vault{tenants: v.tenants, kept: &keys.Kept{}}
	patient := name
	patient.Subject = "rosa"
	opened(t, e, tx, patient, sealed(t, e, tx, patient, "x"), "x")
	sealed(t, e, v, patient, "y")
	if len(v.data) != 2 {
		t.Error("a rolled back key was used")
	}
	undone := tx.data[0].Wrapped
	for _, k := range v.data {
		if bytes.Equal(k.Wrapped, undone) {
			t.Error("a rolled back key was stored")
		}
	}
}

// A value of an older store opens only where that is accepted.
func TestPlainValues(t *testing.T) {
	v, old := &vault{}, keys.Sealed("\x00Rosa")
	e := keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider(t), Clock: clock.System{}})
	_, err := e.Open(t.Context(), v, name, old)
	wantCode(t, err, "sealed-plain")
	lenient := keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider(t), Clock: clock.System{}, AcceptPlain: true})
	opened(t, lenient, &vault{}, name, old, "Rosa")
	opened(t, e, v, name, nil, "")
}

// A blind index tells equal values of one column, and nothing between columns
// or tenants.
func TestBlindIndex(t *testing.T) {
	v := &vault{}
	e := keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider(t), Clock: clock.System{}})
	blind := func(p keys.Place, value string) string {
		all, err := e.Blind(t.Context(), v, p, value)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	p := keys.Place{Tenant: "main", Table: "person", Column: "username_key"}
	q, r := p, p
	q.Tenant, r.Column = "other", "mail_key"
	one := blind(p, "rosa")
	if one != blind(p, "rosa") || one == blind(p, "luis") || one == blind(q, "rosa") || one == blind(r, "rosa") {
		t.Error("blind indexes are equal where they must differ, or the other way round")
	}
}

func BenchmarkEnvelope(b *testing.B) {
	v := &vault{}
	e := keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider(b), Clock: clock.System{}})
	plain := bytes.Repeat([]byte("x"), 200)
	s, err := e.Seal(b.Context(), v, name, plain)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Seal(b.Context(), v, name, plain); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.Open(b.Context(), v, name, s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(len(s)-len(plain)), "bytes-added")
}
