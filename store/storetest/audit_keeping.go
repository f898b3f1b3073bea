package storetest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/export"
	"github.com/mandate-health/mandate/audit/retention"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/store"
)

func auditCursor(t *testing.T, s *store.Store) {
	ctx := t.Context()
	equal(t, got(s.AuditCursor(ctx, tenant, "a"))(t), int64(0))
	must(t, s.MoveAuditCursor(ctx, tenant, "a", 7))
	must(t, s.MoveAuditCursor(ctx, tenant, "a", 5))
	must(t, s.MoveAuditCursor(ctx, tenant, "b", 2))
	equal(t, got(s.AuditCursor(ctx, tenant, "a"))(t), int64(7))
	equal(t, got(s.AuditCursor(ctx, other, "a"))(t), int64(0))
}

// Both clocks of a heartbeat are read at once: their difference is that of the
// clocks, and silence is counted by the database alone.
func heartbeats(t *testing.T, s *store.Store) {
	ctx := t.Context()
	now := clock.System{}.Now()
	must(t, s.Beat(ctx, "n1", now.Add(-time.Hour)))
	must(t, s.Beat(ctx, "n1", now.Add(time.Hour)))
	must(t, s.Beat(ctx, "n2", now))
	beats := got(s.Beats(ctx))(t)
	equal(t, []string{beats[0].Node, beats[1].Node}, []string{"n1", "n2"})
	if d := beats[0].Skew - beats[1].Skew; d < 59*time.Minute || d > 61*time.Minute || beats[0].Ago < 0 || beats[0].Ago > time.Minute {
		t.Errorf("%+v", beats)
	}
	must(t, s.Leave(ctx, "n1"))
	equal(t, len(got(s.Beats(ctx))(t)), 1)
}

func keeper(s *store.Store, now time.Time) *retention.Service {
	return retention.New(retention.Deps{Store: s, Secrets: s, Clock: clock.Fixed(now), IDs: ids.Source{},
		Tx: txn.Func[retention.Tx](func(ctx context.Context, fn func(retention.Tx) error) error {
			return s.InTx(ctx, func(tx store.Tx) error { return fn(tx) })
		})})
}

// AR-06: after its time a body goes, its leaf stays, nothing under a hold goes,
// and verification calls it lawful. What is taken without a record is not.
func retentionStory(t *testing.T, s *store.Store) {
	ctx := t.Context()
	all := numbered(6)
	all[1].Patient, all[1].Capacity.Patient = "ines", "ines"
	all[2].Kind = audit.LoginFailed
	all[3].Kind = audit.AuditRead
	must(t, s.AppendAudits(ctx, all))
	_, err := sealer(s, noon().Add(time.Minute)).Pass(ctx)
	must(t, err)

	later := noon().AddDate(6, 0, 5)
	k := keeper(s, later)
	fails(t, k.Set(ctx, tenant, retention.Rule{Class: audit.ClassAccess, Days: 30}, false), errs.Invalid)
	fails(t, k.Set(ctx, tenant, retention.Rule{Class: audit.ClassAudit, Days: 3000}, false), errs.Invalid)
	must(t, k.Set(ctx, tenant, retention.Rule{Class: audit.ClassSecurity}, false))
	fails(t, got2(k.AddHold(ctx, tenant, retention.Hold{Patient: "ines"})), errs.Invalid)
	hold := got(k.AddHold(ctx, tenant, retention.Hold{Matter: "case 7", Patient: "ines"}))(t)

	before := noon().AddDate(0, 0, 5)
	equal(t, got(k.Erase(ctx, tenant, true))(t)[0].Erased, int64(3))
	equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant, Kinds: []audit.Kind{audit.AuditErased}}))(t)), 0)
	done := got(k.Run(ctx))(t)
	equal(t, []any{len(done), done[0].Class, done[0].Erased, done[0].Held, done[0].Before.After(before.AddDate(0, 0, -2))}, []any{1, audit.ClassAccess, int64(3), int64(1), true})
	equal(t, got(k.Run(ctx))(t)[0].Erased, int64(0))
	_, err = sealer(s, later).Pass(ctx)
	must(t, err)
	states := func() string {
		var out []string
		for _, e := range all {
			one := got(s.StoredAudits(ctx, tenant, []string{e.ID}))(t)[0]
			out = append(out, string(one.State))
		}
		return strings.Join(out, " ")
	}
	equal(t, states(), "erased whole whole whole erased erased")
	check := func() *audit.Report {
		return got(audit.VerifyTenant(ctx, s, tenant, later.Add(time.Hour)))(t)
	}
	r := check()
	equal(t, []int64{r.Faults, r.Erased, r.Intact}, []int64{0, 3, r.Size - 3})
	first := got(s.Audits(ctx, audit.Filter{Tenant: tenant, Until: noon()}))(t)[0]
	equal(t, []any{first.Patient, first.Network, first.Delivered}, []any{"rosa", "", []string(nil)})

	// A released hold lets go; one that ended cannot end again.
	must(t, k.Release(ctx, tenant, hold.ID))
	fails(t, k.Release(ctx, tenant, hold.ID), errs.NotFound)
	equal(t, got(k.Run(ctx))(t)[0].Erased, int64(1))
	equal(t, states(), "erased erased whole whole erased erased")
	equal(t, len(got(k.Holds(ctx, tenant))(t)), 1)

	// A body that nobody recorded as erased is a fault.
	keys := got(audit.OpenLogKeys(ctx, s, ids.Source{}, tenant))(t)
	login := got(s.StoredAudits(ctx, tenant, []string{all[2].ID}))(t)[0]
	commitment := got(keys.Commitment(login.Event))(t)
	got(s.EraseAudits(ctx, tenant, []retention.Erasing{{ID: all[2].ID, Commitment: commitment}}))(t)
	_, err = sealer(s, later).Pass(ctx)
	must(t, err)
	equal(t, faults(check()), []string{"erased-without-record " + all[2].ID})
}

// A hold that is set while an erasure runs wins.
func holdWins(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.AppendAudits(ctx, numbered(2)))
	must(t, s.PutAuditRetention(ctx, other, retention.Rule{Class: audit.ClassAccess, Days: 9, Erased: noon()}))
	equal(t, got(s.AuditRetentions(ctx, other))(t), []retention.Rule{{Class: audit.ClassAccess, Days: 9, Erased: noon()}})
	must(t, s.PutAuditHold(ctx, tenant, retention.Hold{ID: "h", Matter: "m", Created: noon()}))
	bodies := []retention.Erasing{{ID: numbered(1)[0].ID}}
	equal(t, got(s.EraseAudits(ctx, tenant, bodies))(t), int64(0))
	equal(t, got(s.ReleaseAuditHold(ctx, tenant, "h", noon()))(t), true)
	equal(t, got(s.ReleaseAuditHold(ctx, tenant, "h", noon()))(t), false)
	equal(t, got(s.EraseAudits(ctx, other, bodies))(t), int64(0))
	equal(t, got(s.EraseAudits(ctx, tenant, bodies))(t), int64(1))
	equal(t, got(s.AuditHolds(ctx, tenant))(t)[0].Released, noon())
}

// AR-08: an export verifies without the store, and names what was done to it.
func exportStory(t *testing.T, s *store.Store) {
	ctx := t.Context()
	const n = 300
	must(t, s.AppendAudits(ctx, numbered(n)))
	_, err := sealer(s, noon().Add(time.Hour)).Pass(ctx)
	must(t, err)
	must(t, s.AppendAudit(ctx, event("fresh", noon().Add(time.Hour))))
	keys := got(audit.OpenLogKeys(ctx, s, ids.Source{}, tenant))(t)
	write := func(span export.Span) []string {
		var out bytes.Buffer
		must(t, export.NDJSON(ctx, &out, audit.NewLedgerSource(s, keys), export.Head{VerifierKey: keys.VerifierKey, Now: noon().Add(time.Hour), Span: span}))
		return strings.SplitAfter(out.String(), "\n")
	}
	path := filepath.Join(t.TempDir(), "export.ndjson")
	check := func(lines []string) *audit.Report {
		must(t, os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600))
		f := got(export.OpenFile(path))(t)
		return got(audit.Verify(ctx, f, audit.VerifyOptions{VerifierKey: keys.VerifierKey, Now: f.Exported()}))(t)
	}
	whole := write(export.Span{})
	r := check(whole)
	equal(t, []int64{r.Size, r.Intact, r.Pending, r.Faults}, []int64{n, n, 1, 0})
	// What is not sealed yet is there in full, and proves nothing.
	if last := whole[len(whole)-2]; !strings.Contains(last, `"unsealed":true`) || !strings.Contains(last, `"header":{`) || !strings.Contains(last, `"body":{`) {
		t.Errorf("the unsealed event is %s", last)
	}
	part := check(write(export.Span{Since: noon().Add(10 * time.Second), Until: noon().Add(19 * time.Second)}))
	equal(t, []int64{part.Size, part.Intact, part.Withheld, part.Faults}, []int64{n, 10, n - 10, 0})

	for name, c := range spoils(t) {
		have, list := faults(check(c.spoil(append([]string(nil), whole...)))), strings.Join(c.want, ",")
		if strings.Join(have, ",") != list && (name != "truncated" || have[0] != list) {
			t.Errorf("%s: %v", name, have)
		}
	}
	for _, broken := range []string{"", "{}\n", whole[0] + "{\n"} {
		must(t, os.WriteFile(path, []byte(broken), 0o600))
		f, err := export.OpenFile(path)
		if err == nil {
			_, err = audit.Verify(ctx, f, audit.VerifyOptions{VerifierKey: keys.VerifierKey, Now: noon()})
		}
		fails(t, err, errs.Invalid)
	}
}

// spoil is what somebody does to the lines of an export, and what is found.
type spoil struct {
	spoil func(lines []string) []string
	want  []string
}

func spoils(t *testing.T) map[string]spoil {
	at := func(lines []string, i int) int {
		for k, l := range lines {
			if strings.Contains(l, fmt.Sprintf("%q:%d,", "seq", i)) {
				return k
			}
		}
		t.Fatal("no such line")
		return 0
	}
	id := func(i int) string { return fmt.Sprintf("%032x", i) }
	return map[string]spoil{
		"changed": {func(l []string) []string {
			k := at(l, 5)
			l[k] = strings.Replace(l[k], `"patient":"rosa"`, `"patient":"ines"`, 1)
			return l
		}, []string{"changed " + id(5)}},
		"body": {func(l []string) []string {
			k := at(l, 5)
			l[k] = strings.Replace(l[k], `192.0.2.1`, `192.0.2.2`, 1)
			return l
		}, []string{"changed " + id(5)}},
		"missing":    {func(l []string) []string { k := at(l, 5); return append(l[:k:k], l[k+1:]...) }, []string{"missing", "tree-differs"}},
		"reordered":  {func(l []string) []string { k := at(l, 5); l[k], l[k+1] = l[k+1], l[k]; return l }, []string{"reordered " + id(5), "tree-differs"}},
		"duplicated": {func(l []string) []string { k := at(l, 5); return append(l[:k+1:k+1], l[k:]...) }, []string{"duplicated " + id(5)}},
		"truncated":  {func(l []string) []string { return l[:at(l, 250)] }, []string{"truncated"}},
	}
}

func got2[T any](_ T, err error) error { return err }
