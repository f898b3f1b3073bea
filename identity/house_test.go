package identity_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/identity/factor/passkey"
	"github.com/mandate-health/mandate/identity/factor/password"
	"github.com/mandate-health/mandate/identity/factor/totp"
	"github.com/mandate-health/mandate/identity/risk"
	"github.com/mandate-health/mandate/internal/ids"
)

const (
	tenant  = "default"
	goodPW  = "a quiet morning walk"
	totpKey = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	home    = "203.0.113.7"
)

// hands is a clock set by hand.
type hands struct{ t atomic.Pointer[time.Time] }

func (h *hands) Now() time.Time { return *h.t.Load() }

func (h *hands) advance(d time.Duration) {
	t := h.Now().Add(d)
	h.t.Store(&t)
}

// counting counts what the password hasher is asked to do.
type counting struct {
	*password.Hasher
	decoys, real atomic.Int64
}

func (c *counting) Verify(ctx context.Context, hash []byte, pw string, known bool) (bool, error) {
	if len(hash) == 0 {
		c.decoys.Add(1)
	} else {
		c.real.Add(1)
	}
	return c.Hasher.Verify(ctx, hash, pw, known)
}

// house is the room with people in it: Rosa the patient, Elena her daughter,
// Dr Osei, and a closed account.
type house struct {
	*identity.Service
	deps   identity.Deps
	store  *memory
	clock  *hands
	hasher *counting
}

func newHouse(t *testing.T) house {
	t.Helper()
	h := house{store: newMemory(), clock: &hands{}, hasher: &counting{Hasher: password.New(password.Config{MemoryKiB: 64, Passes: 1})}}
	keys, err := passkey.New(passkey.Config{PublicURL: "https://id.example", Name: "Mandate"})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	h.clock.t.Store(&start)
	h.deps = identity.Deps{
		Tx: h.store, Store: h.store.reader(), Passwords: h.hasher, Codes: totp.Codes{}, Passkeys: keys,
		Clock: h.clock, Hasher: ids.Hasher{Key: []byte("test key")}, Policy: easy(), Assess: risk.Assess,
	}
	h.Service = identity.New(h.deps)
	for _, n := range []identity.NewAccount{
		{Person: identity.Person{ID: "p-rosa", Username: "rosa", Role: identity.RolePatient, Name: "Rosa Alvarez"}},
		{Person: identity.Person{ID: "p-tom", Username: "tom", Role: identity.RolePatient}, TOTPSecret: totpKey},
		{Person: identity.Person{ID: "p-elena", Username: "elena", Role: identity.RoleProxy}, TOTPSecret: totpKey},
		{Person: identity.Person{ID: "p-osei", Username: "osei", Role: identity.RoleClinician}, TOTPSecret: totpKey},
		{Person: identity.Person{ID: "p-bare", Username: "bare", Role: identity.RoleAdmin}},
		{Person: identity.Person{ID: "p-gone", Username: "gone", Role: identity.RolePatient, Disabled: true}},
	} {
		n.Person.Tenant, n.Password = tenant, goodPW
		if _, err := h.CreateAccount(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	h.store.events = nil
	return h
}

func (h house) signIn(t *testing.T, name string) identity.SignInResult {
	t.Helper()
	r, err := h.SignIn(t.Context(), tenant, name, goodPW, identity.Meta{Address: home, RequestID: "req-1"})
	if err != nil {
		t.Fatalf("%s cannot sign in: %v", name, err)
	}
	return r
}

func (h house) code(t *testing.T) string {
	t.Helper()
	code, err := totp.Code(totpKey, h.clock.Now().Unix()/30)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// finish signs in with both factors.
func (h house) finish(t *testing.T, name string) identity.SignInResult {
	t.Helper()
	r, err := h.SecondFactor(t.Context(), tenant, h.signIn(t, name).Secret, h.code(t), identity.Meta{Address: home})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// easy is the policy with work that costs no test time.
func easy() identity.Policy {
	p := identity.DefaultPolicy()
	p.WorkBits = 4
	return p
}

// patiently tries a password as somebody does who waits out each pause and whose
// browser does the work it is given.
func (h house) patiently(t *testing.T, name, pw string, m identity.Meta) error {
	t.Helper()
	for {
		_, err := h.SignIn(t.Context(), tenant, name, pw, m)
		if c := identity.ChallengeOf(err); c != nil {
			m.Challenge, m.Work = c.Token, identity.Work(c.Token, c.Bits)
			continue
		}
		if after, ok := identity.RetryAfter(err); ok && after <= easy().LongestPause {
			h.clock.advance(after)
			continue
		}
		return err
	}
}

// told gives the kinds and reasons of the events so far.
func (h house) told() string {
	var out []string
	for _, e := range h.store.events {
		out = append(out, strings.TrimSuffix(string(e.Kind)+" "+e.Reason, " "))
	}
	return strings.Join(out, ", ")
}

func self(patient string) fhir.Capacity {
	return fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: patient}, Patient: patient}
}

func lastEvent(t *testing.T, h house) audit.Event {
	t.Helper()
	if len(h.store.events) == 0 {
		t.Fatal("nothing was recorded")
	}
	return h.store.events[len(h.store.events)-1]
}
