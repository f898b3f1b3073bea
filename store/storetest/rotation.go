package storetest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/local"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// node is one process on the database: its own sealer and store, one key file.
type node struct {
	*store.Store
	custodian *keys.Custodian
	envelope  *keys.Envelope
	// mute is the error of every record.
	mute error
}

// recorded writes the events of acts, or fails at it.
type recorded struct {
	store.Tx
	node *node
}

func (r recorded) Record(ctx context.Context, a keys.Act) error {
	if r.node.mute != nil {
		return r.node.mute
	}
	outcome := map[keys.Stage]audit.Outcome{keys.Done: audit.Success, keys.Failed: audit.SeriousFailure}[a.Stage]
	return r.AppendAudit(ctx, audit.Event{Tenant: a.Tenant, Time: noon(), Kind: audit.KeyChanged, Reason: a.Reason, Outcome: outcome,
		Detail: map[string]string{"kind": a.Kind, "key": a.Key}})
}

func newNode(t *testing.T, e store.Engine, kek string, c clock.Clock, plain bool) *node {
	t.Helper()
	provider, err := local.Open(local.Config{Path: kek, Create: true, Clock: c})
	must(t, err)
	n := &node{envelope: keys.NewEnvelope(keys.EnvelopeConfig{Provider: provider, Clock: c, AcceptPlain: plain})}
	n.Store = store.New(e, store.Options{Sealer: n.envelope, Clock: c, IDs: ids.Source{}})
	n.custodian = &keys.Custodian{Envelope: n.envelope, Ring: keys.NewRing(n.Store, c), Vault: n.Store, Clock: c,
		Tx: txn.Func[keys.Tx](func(ctx context.Context, fn func(keys.Tx) error) error {
			return n.InTx(ctx, func(tx store.Tx) error { return fn(recorded{tx, n}) })
		})}
	return n
}

// SE-03: every key is replaced while two nodes read and write; no value fails
// to open, and at the end nothing is left under the first keys.
func rotation(t *testing.T, e store.Engine) {
	ctx, c, kek := t.Context(), &clock.Movable{}, filepath.Join(t.TempDir(), "kek.json")
	a, b := newNode(t, e, kek, c, false), newNode(t, e, kek, c, false)
	t.Cleanup(func() { must(t, e.Close()) })
	must(t, a.Migrate(ctx))
	must(t, a.PutPerson(ctx, identity.Person{Tenant: tenant, ID: "p", Username: "Rosa", Name: "Rosa"}))
	told := grant("told", noon())
	told.Context.FHIRContext = []oauth.ContextRef{{Identifier: []byte(`{"value":"4711"}`)}}
	must(t, a.CreateGrant(ctx, told))
	must(t, a.CreateGrant(ctx, grant("plain", noon())))
	connection, agreed := approved("agreed", "rosa")
	must(t, a.CreateApproved(ctx, connection, agreed))
	// Rosa has a key before there is load.
	must(t, a.PutConsent(ctx, secretConsent("first", "rosa"), 0))
	stop, settle := underLoad(t, a, b)
	first := got(a.TenantKeys(ctx, tenant))(t)[0]

	_, n, err := a.custodian.RotateKEK(ctx, tenant)
	must(t, err)
	if now := got(a.TenantKeys(ctx, tenant))(t)[0]; n == 0 || now.KEK == first.KEK {
		t.Errorf("%d keys under a new KEK", n)
	}
	must(t, a.custodian.RotateTenant(ctx, tenant))
	must(t, a.custodian.RotateData(ctx, tenant, ""))
	must(t, a.custodian.RotateData(ctx, tenant, keys.SubjectIndex))
	equal(t, got(a.custodian.RotatePatients(ctx, tenant))(t), 1)
	for range 4 {
		// The other nodes hear of it before the keys are active.
		must(t, b.envelope.Reload(ctx, b.Store, tenant))
		settle() // nobody takes so long between reading a row and opening it
		c.Advance(keys.Announce)
		must(t, a.envelope.Reload(ctx, a.Store, tenant))
		must(t, a.custodian.Tend(ctx))
		got(a.Reseal(ctx))(t)
	}
	stop()
	equal(t, got(a.Reseal(ctx))(t), true)
	equal(t, got(a.Reseals(ctx))(t)[0].Stale, int64(0))
	c.Advance(keys.Announce)
	must(t, a.custodian.Tend(ctx))
	for _, subject := range []string{"", "rosa", keys.SubjectIndex} {
		for _, k := range got(a.DataKeys(ctx, tenant, subject))(t) {
			if k.Destroyed.IsZero() != (k.Version == 2) || k.Version == 2 && k.Parent != 2 {
				t.Errorf("key %q version %d parent %d destroyed %s", subject, k.Version, k.Parent, k.Destroyed)
			}
		}
	}
	if k := got(a.TenantKeys(ctx, tenant))(t); k[0].Destroyed.IsZero() || !k[1].Destroyed.IsZero() {
		t.Errorf("tenant keys: %+v", k)
	}
	// Another process reads all of it by what is left.
	fresh := newNode(t, e, kek, c, false)
	equal(t, got(fresh.PersonByUsername(ctx, tenant, "ROSA"))(t).Name, "Rosa")
	equal(t, got(fresh.GrantByID(ctx, tenant, "told"))(t).Context, told.Context)
	equal(t, got(fresh.GrantByID(ctx, tenant, "plain"))(t).Context, grant("plain", noon()).Context)
	equal(t, got(fresh.ConsentByID(ctx, tenant, "agreed"))(t).JSON, got(agreed.Record(tenant))(t).JSON)
	if all := got(fresh.ConsentsOfPatient(ctx, tenant, "rosa"))(t); len(all) < 5 {
		t.Errorf("%d consents", len(all))
	}
}

// underLoad writes and reads at both nodes until it is stopped. settle returns when
// all that was begun before it has ended.
func underLoad(t *testing.T, nodes ...*node) (stop, settle func()) {
	ctx, done := t.Context(), make(chan struct{})
	var wg sync.WaitGroup
	var turn sync.RWMutex
	act := func(i, round int) error {
		turn.RLock()
		defer turn.RUnlock()
		id := fmt.Sprintf("c-%d-%d", i, round)
		if err := nodes[i].PutConsent(ctx, secretConsent(id, "rosa"), 0); err != nil {
			return err
		}
		if _, err := nodes[i].PersonByUsername(ctx, tenant, "rosa"); err != nil {
			return err
		}
		_, err := nodes[(i+1)%len(nodes)].ConsentByID(ctx, tenant, id)
		return err
	}
	for i := range nodes {
		wg.Go(func() {
			for round := 0; ; round++ {
				if err := act(i, round); err != nil {
					t.Errorf("under load: %v", err)
					return
				}
				select {
				case <-done:
					if round >= 2 {
						return
					}
				default:
				}
			}
		})
	}
	settle = func() {
		turn.Lock()
		turn.Unlock() //nolint:staticcheck // to have waited is all
	}
	return func() { close(done); wg.Wait() }, settle
}

// SG-10: what was under a shredded key is told as erased, and the rest stays;
// what is written about the patient later can be read.
func shredding(t *testing.T, e store.Engine) {
	ctx, c := t.Context(), &clock.Movable{}
	a := newNode(t, e, filepath.Join(t.TempDir(), "kek.json"), c, false)
	t.Cleanup(func() { must(t, e.Close()) })
	must(t, a.Migrate(ctx))
	must(t, a.PutConsent(ctx, secretConsent("c1", "rosa"), 0))
	must(t, a.PutConsent(ctx, secretConsent("c2", "luis"), 0))
	connection, agreed := approved("agreed", "rosa")
	must(t, a.CreateApproved(ctx, connection, agreed))
	must(t, a.AppendAudit(ctx, event("e1", noon())))
	got(a.custodian.Shred(ctx, tenant, "rosa"))(t)
	must(t, a.PutConsent(ctx, secretConsent("c3", "rosa"), 0))
	c.Advance(keys.Announce)
	must(t, a.custodian.Tend(ctx))
	must(t, a.envelope.Reload(ctx, a.Store, tenant))
	_, err := a.ConsentByID(ctx, tenant, "c1")
	fails(t, err, errs.Gone)
	_, err = a.ConsentByID(ctx, tenant, "agreed")
	fails(t, err, errs.Gone)
	_, err = a.ConsentsOfPatient(ctx, tenant, "rosa")
	fails(t, err, errs.Gone)
	equal(t, string(got(a.ConsentByID(ctx, tenant, "c3"))(t).JSON), "the secret of rosa")
	equal(t, string(got(a.ConsentByID(ctx, tenant, "c2"))(t).JSON), "the secret of luis")
	events := got(a.Audits(ctx, audit.Filter{Tenant: tenant}))(t)
	at := slices.IndexFunc(events, func(e audit.Event) bool { return e.ID == "e1" })
	equal(t, []any{len(events), events[at].Detail["erased"], events[at].Patient}, []any{3, "true", "rosa"})
	must(t, a.StartReseal(ctx, tenant, c.Now()))
	c.Advance(3 * keys.Announce)
	if done := got(a.Reseal(ctx))(t); !done {
		equal(t, got(a.Reseal(ctx))(t), true)
	}
	_, err = a.custodian.Shred(ctx, tenant, keys.SubjectIndex)
	fails(t, err, errs.Invalid)
	_, err = a.custodian.Shred(ctx, tenant, "nobody")
	fails(t, err, errs.NotFound)

	got(a.custodian.ShredTenant(ctx, tenant))(t)
	fails(t, a.PutConsent(ctx, secretConsent("c4", "ines"), 0), errs.Gone)
	c.Advance(keys.Announce)
	must(t, a.custodian.Tend(ctx))
	must(t, a.envelope.Reload(ctx, a.Store, tenant))
	_, err = a.ConsentByID(ctx, tenant, "c2")
	fails(t, err, errs.Gone)
	must(t, a.RemoveSigningKey(ctx, tenant, "none"))
}

// An older store that holds plaintext is encrypted while it is used.
func plainStore(t *testing.T, e store.Engine) {
	ctx, c := t.Context(), &clock.Movable{}
	t.Cleanup(func() { must(t, e.Close()) })
	old := store.New(e, store.Options{Clock: c, IDs: ids.Source{}})
	must(t, old.Migrate(ctx))
	must(t, old.PutPerson(ctx, identity.Person{Tenant: tenant, ID: "p", Username: "Rosa", Name: "Rosa"}))
	must(t, old.PutConsent(ctx, secretConsent("c1", "rosa"), 0))
	must(t, old.PutConsent(ctx, secretConsent("c1", "rosa"), 1))
	must(t, old.AppendAudit(ctx, event("e1", noon())))
	must(t, old.AppendAudit(ctx, event("", noon())))
	kek := filepath.Join(t.TempDir(), "kek.json")
	strict := newNode(t, e, kek, c, false)
	_, err := strict.PersonByID(ctx, tenant, "p")
	fails(t, err, errs.Internal)
	n := newNode(t, e, kek, c, true)
	equal(t, got(n.PersonByUsername(ctx, tenant, "rosa"))(t).Name, "Rosa")
	must(t, n.StartReseal(ctx, tenant, c.Now().Add(-time.Hour)))
	equal(t, got(n.Reseal(ctx))(t), true)
	equal(t, got(strict.PersonByUsername(ctx, tenant, "rosa"))(t).Name, "Rosa")
	equal(t, len(got(strict.ConsentHistory(ctx, tenant, "c1"))(t)), 2)
	events := got(strict.Audits(ctx, audit.Filter{Tenant: tenant}))(t)
	equal(t, []any{len(events), events[0].Query, events[1].Query}, []any{2, event("e1", noon()).Query, event("e1", noon()).Query})
}

// D8: what is done to keys is recorded in the transaction that does it. Without
// a record nothing changes, and what fails outside of the store is recorded as
// begun and failed.
//
// long: each act is one row.
func actsOnKeys(t *testing.T, e store.Engine) {
	ctx, c := t.Context(), &clock.Movable{}
	a := newNode(t, e, filepath.Join(t.TempDir(), "kek.json"), c, false)
	t.Cleanup(func() { must(t, e.Close()) })
	must(t, a.Migrate(ctx))
	must(t, a.PutPerson(ctx, identity.Person{Tenant: tenant, ID: "p", Username: "Rosa", Name: "Rosa"}))
	must(t, a.PutConsent(ctx, secretConsent("c1", "rosa"), 0))
	signing := got(a.custodian.RotateSigning(ctx, tenant, keys.UseAccessToken, keys.Announce))(t)
	before := keysOf(t, a)

	a.mute = errs.New(errs.Unavailable, "no-record", "There is no record.")
	acts := map[string]func() error{
		"tenant": func() error { return a.custodian.RotateTenant(ctx, tenant) },
		"data":   func() error { return a.custodian.RotateData(ctx, tenant, "rosa") },
		"index":  func() error { return a.custodian.RotateData(ctx, tenant, keys.SubjectIndex) },
		"patients": func() error {
			_, err := a.custodian.RotatePatients(ctx, tenant)
			return err
		},
		"signing": func() error {
			_, err := a.custodian.RotateSigning(ctx, tenant, keys.UseAccessToken, keys.Announce)
			return err
		},
		"retire": func() error { return a.custodian.RevokeSigning(ctx, tenant, signing.KID) },
		"patient": func() error {
			_, err := a.custodian.Shred(ctx, tenant, "rosa")
			return err
		},
		"erase": func() error {
			_, err := a.custodian.ShredTenant(ctx, tenant)
			return err
		},
		"kek": func() error {
			_, _, err := a.custodian.RotateKEK(ctx, tenant)
			return err
		},
	}
	for what, act := range acts {
		if err := act(); !errs.Is(err, errs.Unavailable) {
			t.Errorf("%s without a record: %v", what, err)
		}
		equal(t, keysOf(t, a), before)
	}
	a.mute = nil
	_, err := a.custodian.Shred(ctx, tenant, "nobody")
	fails(t, err, errs.NotFound)
	equal(t, len(got(a.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), 1)
	err = a.custodian.Outside(ctx, keys.Act{Tenant: tenant, Reason: "key-file-split"}, func() (string, error) {
		return "", errs.New(errs.Unavailable, "disk", "The disk is full.")
	})
	fails(t, err, errs.Unavailable)
	for _, kind := range []string{"tenant", "data", "index", "patients", "retire", "kek"} {
		must(t, acts[kind]())
	}
	_, err = a.custodian.Shred(ctx, tenant, "rosa")
	must(t, err)
	told := map[string]int{}
	for _, e := range got(a.Audits(ctx, audit.Filter{Tenant: tenant}))(t) {
		told[e.Reason+" "+e.Detail["kind"]+" "+string(e.Outcome)]++
	}
	equal(t, told, map[string]int{
		"key-rotated access-token 0": 2, "signing-key-revoked access-token 0": 1, "key-rotated tenant 0": 1, "key-rotated data 0": 1,
		"key-rotated index 0": 1, "key-rotated patients 0": 1, "key-rotated kek ": 1, "key-rotated kek 0": 1, "keys-shredded data 0": 1,
		"key-file-split  ": 1, "key-file-split  8": 1,
	})
	keysDestroyed(t, a, c)
}

// keysDestroyed: what was shredded is destroyed when it is due, with a record of
// its own or not at all; that of a tenant stands in another's log.
func keysDestroyed(t *testing.T, a *node, c *clock.Movable) {
	ctx := t.Context()
	left := func() (n int) {
		for _, k := range got(a.DataKeys(ctx, tenant, "rosa"))(t) {
			n += len(k.Wrapped)
		}
		return n
	}
	c.Advance(keys.Announce)
	a.mute = errs.New(errs.Unavailable, "no-record", "There is no record.")
	fails(t, a.custodian.Tend(ctx), errs.Unavailable)
	if left() == 0 {
		t.Error("keys were destroyed without a record")
	}
	a.mute = nil
	must(t, a.custodian.Tend(ctx))
	must(t, a.custodian.Tend(ctx))
	equal(t, left(), 0)
	told := func(log string) map[string]int {
		out := map[string]int{}
		for _, e := range got(a.Audits(ctx, audit.Filter{Tenant: log}))(t) {
			if e.Reason == "keys-destroyed" {
				out[e.Detail["kind"]+" "+e.Detail["key"]]++
			}
		}
		return out
	}
	equal(t, told(tenant), map[string]int{"data patient rosa": 1})
	must(t, a.PutPerson(ctx, identity.Person{Tenant: "home", ID: "p", Username: "Rosa", Name: "Rosa"}))
	a.custodian.Home = "home"
	_, err := a.custodian.ShredTenant(ctx, tenant)
	must(t, err)
	c.Advance(keys.Announce + time.Second)
	must(t, a.custodian.Tend(ctx))
	equal(t, told("home"), map[string]int{"tenant all of tenant " + tenant: 1})
}

// keysOf gives all keys of the tenant and the patient Rosa.
func keysOf(t *testing.T, n *node) []any {
	ctx := t.Context()
	return []any{
		got(n.TenantKeys(ctx, tenant))(t), got(n.DataKeys(ctx, tenant, "rosa"))(t), got(n.DataKeys(ctx, tenant, ""))(t),
		got(n.DataKeys(ctx, tenant, keys.SubjectIndex))(t), got(n.SigningKeys(ctx, tenant))(t), got(n.Reseals(ctx))(t),
	}
}
