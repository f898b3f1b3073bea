package storetest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/export"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/store"
)

// logKeyRows: a generation is added once, and what ends a log is kept.
func logKeyRows(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, len(got(s.LogKeys(ctx, tenant))(t)), 0)
	k := audit.LogKey{Generation: 2, VerifierKey: "v", Created: noon(), Starts: noon().Add(time.Minute), Event: "e"}
	equal(t, race(t, 8, "", func(int) (bool, error) { return s.AddLogKey(ctx, tenant, k) }), 1)
	equal(t, got(s.LogKeys(ctx, tenant))(t), []audit.LogKey{k})
	equal(t, len(got(s.LogKeys(ctx, other))(t)), 0)
	equal(t, got(s.LogEnd(ctx, tenant))(t), (*audit.LogEnd)(nil))
	end := audit.LogEnd{Event: "e", Salt: []byte("salt"), Body: []byte("{}")}
	must(t, s.PutLogEnd(ctx, tenant, end))
	equal(t, got(s.LogEnd(ctx, tenant))(t), &end)
}

// rotateLog announces the next keys of the log.
func rotateLog(t *testing.T, s *store.Store, now time.Time) (audit.LogKey, error) {
	t.Helper()
	var k audit.LogKey
	err := s.InTx(t.Context(), func(tx store.Tx) (err error) {
		k, err = audit.RotateLogKeys(t.Context(), tx, audit.Rotation{Tenant: tenant, PersonID: "p", Now: now, IDs: ids.Source{}})
		return err
	})
	return k, err
}

// SE-03: the keys of the log rotate while it grows. Whoever has any of them
// follows the others in the log itself, in the store and in an export; a key
// signs nothing before it was handed the log nor after it handed it on.
func logKeysRotate(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := noon().Add(time.Hour)
	grown := func(id string, at time.Time) []byte {
		t.Helper()
		must(t, s.AppendAudit(ctx, event(id, at)))
		_, err := sealer(s, at).Pass(ctx)
		must(t, err)
		return got(s.LedgerHead(ctx, tenant))(t).Checkpoint
	}
	old := grown("e1", now)
	first := got(audit.OpenLogKeys(ctx, s, ids.Source{}, tenant))(t).VerifierKey

	second := got(rotateLog(t, s, now))(t)
	_, err := rotateLog(t, s, now)
	fails(t, err, errs.Conflict)
	equal(t, got(audit.OpenLogKeys(ctx, s, ids.Source{}, tenant))(t).VerifierKey, first)
	// What comes behind the announcement in one pass is signed by the new key.
	middle := grown("e2", now.Add(time.Second))
	third := got(rotateLog(t, s, now.Add(2*time.Second)))(t)
	last := grown("e3", now.Add(3*time.Second))
	all := got(s.LogKeys(ctx, tenant))(t)
	equal(t, []int64{all[0].Signs, all[1].Signs, all[2].Signs}, []int64{0, 2, 4})

	for name, key := range map[string]string{"first": first, "second": second.VerifierKey, "third": third.VerifierKey} {
		for size, signed := range map[int][]byte{1: old, 3: middle, 5: last} {
			_, err := audit.ReadCheckpoint(signed, key)
			signs := map[string]int{"first": 1, "second": 3, "third": 5}[name] == size
			if signs != (err == nil) {
				t.Errorf("the %s key and the checkpoint of %d: %v", name, size, err)
			}
		}
	}
	source := audit.NewLedgerSource(s, got(audit.OpenLogKeys(ctx, s, ids.Source{}, tenant))(t))
	path := filepath.Join(t.TempDir(), "export")
	var out bytes.Buffer
	must(t, export.NDJSON(ctx, &out, source, export.Head{Now: now, Span: export.Span{Since: now.Add(time.Hour)}}))
	must(t, os.WriteFile(path, out.Bytes(), 0o600))
	for name, key := range map[string]string{"first": first, "second": second.VerifierKey, "third": third.VerifierKey} {
		o := audit.VerifyOptions{VerifierKey: key, Witnessed: [][]byte{old, middle, last}, Now: now}
		r := got(audit.Verify(ctx, source, o))(t)
		equal(t, []any{name, r.Size, r.Intact, r.Faults, r.Checkpoints >= 6}, []any{name, int64(5), int64(5), int64(0), true})
		r = got(audit.Verify(ctx, got(export.OpenFile(path))(t), o))(t)
		equal(t, []any{name, r.Faults, r.Withheld, r.Intact}, []any{name, int64(0), int64(3), int64(2)})
	}
	stranger := got(audit.OpenLogKeys(ctx, s, ids.Source{}, other))(t).VerifierKey
	if r := got(audit.Verify(ctx, source, audit.VerifyOptions{VerifierKey: stranger, Now: now}))(t); r.OK() {
		t.Error("another log's key verifies this one")
	}
	_, err = audit.Verify(ctx, source, audit.VerifyOptions{VerifierKey: "none", Now: now})
	fails(t, err, errs.Invalid)
	// A proof against the checkpoint behind an announcement convinces who has the
	// key before.
	proofs := got(audit.ProveHandovers(ctx, s, got(audit.OpenLogKeys(ctx, s, ids.Source{}, tenant))(t)))(t)
	equal(t, len(proofs), 2)
	must(t, proofs[0].Check(first))
	must(t, proofs[0].Check(second.VerifierKey))
	must(t, proofs[1].Check(second.VerifierKey))
	fails(t, proofs[1].Check(first), errs.Invalid)
}

// SG-10: after all keys of a tenant were destroyed, those of its log included,
// verification still calls that lawful, in the store and in an export, and
// other logs go on being sealed.
func erasedTenant(t *testing.T, e store.Engine) {
	ctx, c := t.Context(), &clock.Movable{}
	c.Set(noon())
	a := newNode(t, e, filepath.Join(t.TempDir(), "kek.json"), c, false)
	t.Cleanup(func() { must(t, e.Close()) })
	must(t, a.Migrate(ctx))
	must(t, a.AppendAudits(ctx, numbered(300)))
	must(t, a.AppendAudit(ctx, audit.Event{Tenant: "zebra", Time: noon(), Kind: audit.LoggedOut}))
	deps := audit.SealerDeps{Ledger: a.Store, Secrets: a.Store, Clock: c}
	seal := func() {
		t.Helper()
		_, err := audit.NewSealer(deps).Pass(ctx)
		must(t, err)
	}
	seal()
	got(rotateLog(t, a.Store, c.Now()))(t)
	seal()
	kept := got(a.LedgerHead(ctx, tenant))(t).Checkpoint
	key := got(audit.OpenLogKeys(ctx, a.Store, ids.Source{}, tenant))(t).VerifierKey

	must(t, a.InTx(ctx, func(tx store.Tx) error {
		k, err := audit.OpenLogKeys(ctx, tx, ids.Source{}, tenant)
		must(t, err)
		e, end, err := k.Ending("the-end", c.Now().Add(time.Hour), c.Now())
		must(t, err)
		must(t, tx.AppendAudit(ctx, e))
		return tx.PutLogEnd(ctx, tenant, end)
	}))
	got(a.custodian.ShredTenant(ctx, tenant))(t)
	c.Advance(keys.Announce)
	must(t, audit.SealAll(ctx, deps, tenant))
	must(t, a.custodian.Tend(ctx))
	must(t, a.envelope.Reload(ctx, a.Store, tenant))
	must(t, a.AppendAudit(ctx, audit.Event{Tenant: "zebra", Time: c.Now(), Kind: audit.LoggedOut}))
	seal()
	equal(t, got(a.LedgerHead(ctx, "zebra"))(t).Size, int64(2))
	fails(t, audit.SealAll(ctx, deps, tenant), errs.Gone)
	_, err := rotateLog(t, a.Store, c.Now())
	fails(t, err, errs.Gone)

	r := got(audit.VerifyTenant(ctx, a.Store, tenant, c.Now(), kept))(t)
	erased := r.Size - 1
	equal(t, []any{r.Findings, r.Intact, r.Erased, r.Unchecked}, []any{[]audit.Finding(nil), int64(1), erased, erased})
	k := got(audit.OpenLogKeys(ctx, a.Store, ids.Source{}, tenant))(t)
	equal(t, []any{k.Erased(), k.VerifierKey}, []any{true, key})
	var out bytes.Buffer
	must(t, export.NDJSON(ctx, &out, audit.NewLedgerSource(a.Store, k), export.Head{VerifierKey: k.VerifierKey, Now: c.Now()}))
	path := filepath.Join(t.TempDir(), "export")
	offline := func(text string) *audit.Report {
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return got(audit.Verify(ctx, got(export.OpenFile(path))(t), audit.VerifyOptions{VerifierKey: key, Witnessed: [][]byte{kept}, Now: c.Now()}))(t)
	}
	r = offline(out.String())
	equal(t, []any{r.Findings, r.Erased}, []any{[]audit.Finding(nil), erased})
	// Who takes the keys away without the record, or changes it, gets nothing.
	if r = offline(strings.Replace(out.String(), "tenant-keys-destroyed", "tenant-keys-destroyeD", 1)); r.Faults < erased {
		t.Errorf("a changed record makes it lawful: %+v", r)
	}
}
