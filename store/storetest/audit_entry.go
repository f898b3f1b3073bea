package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/retention"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/store"
)

// mixed gives n events, one a second from noon on: in turn one as an older
// program left it, one whose id the store is to make, and two more of them at
// the same moment.
func mixed(n int) []audit.Event {
	all := numbered(n)
	for i := range all {
		switch i % 4 {
		case 1:
			all[i].ID = ""
		case 2:
			all[i].ID, all[i].Time = "", all[i-2].Time
		case 3:
			all[i].Time = all[i-3].Time
		}
	}
	return all
}

// listed gives the events of a tenant page by page, newest first.
func listed(t *testing.T, s *store.Store, f audit.Filter) []audit.Event {
	t.Helper()
	var all []audit.Event
	for f.Tenant = tenant; ; {
		page := got(s.Audits(t.Context(), f))(t)
		all = append(all, page...)
		if len(page) < f.Limit {
			return all
		}
		f.Before, f.BeforeID = page[len(page)-1].Time, page[len(page)-1].ID
	}
}

// Events whose ids the store made, and those of the version before, are one log:
// in listings, in pages of any size, in counts and by id.
func auditMixed(t *testing.T, s *store.Store) {
	ctx := t.Context()
	in := mixed(40)
	in[1].Patient, in[2].PersonID, in[5].GrantID, in[6].ClientID, in[9].Kind = "", "", ids.Source{}.ID(), "other", "a kind of its own"
	in[9].Resource, in[10].Resource = fhir.Reference{Type: "Observation"}, fhir.Reference{}
	in[13].SessionID, in[13].Network, in[13].Count = fmt.Sprintf("%064x", 7), "2001:db8::7", -1
	in[14].Consents = []string{"Consent/" + ids.Source{}.ID() + "/_history/255", "Consent/x/_history/1", "Consent/" + ids.Source{}.ID() + "/_history/256"}
	in[17] = audit.Event{Tenant: tenant, Time: in[17].Time, Kind: audit.LoggedOut}
	must(t, s.AppendAudits(ctx, in))
	all := listed(t, s, audit.Filter{Limit: 1000})
	for _, size := range []int{1, 2, 3, 7} {
		equal(t, listed(t, s, audit.Filter{Limit: size}), all)
	}
	equal(t, slices.IsSortedFunc(all, func(a, b audit.Event) int { return b.Time.Compare(a.Time) }), true)
	back := slices.Clone(all)
	for _, e := range in {
		at := slices.IndexFunc(back, func(b audit.Event) bool {
			if e.ID == "" {
				b.ID = ""
			}
			return fmt.Sprintf("%#v", b) == fmt.Sprintf("%#v", e)
		})
		if at < 0 {
			t.Fatalf("not found: %+v", e)
		}
		equal(t, len(back[at].ID), 32)
		back = slices.Delete(back, at, at+1)
	}
	for _, c := range []struct {
		want int
		f    audit.Filter
	}{
		{38, audit.Filter{Patient: "rosa"}}, {38, audit.Filter{PersonID: "p-maria", Since: noon()}}, {1, audit.Filter{GrantID: in[5].GrantID}},
		{38, audit.Filter{ClientID: "app"}}, {2, audit.Filter{Kinds: []audit.Kind{audit.LoggedOut, "a kind of its own"}}},
		{0, audit.Filter{Kinds: []audit.Kind{"a kind of another"}}}, {5, audit.Filter{Since: noon().Add(time.Second), Until: noon().Add(5 * time.Second)}},
	} {
		c.f.Limit = 1000
		equal(t, len(listed(t, s, c.f)), c.want)
	}
	// The sealer meets each once, in order, from any of them on.
	stamps := got(s.AuditStamps(ctx, tenant, audit.Stamp{Time: noon().Add(-time.Microsecond), ID: "~"}, noon().Add(time.Hour)))(t)
	equal(t, len(stamps), 40)
	for i, after := range stamps {
		behind := got(s.AuditStamps(ctx, tenant, after, noon().Add(time.Hour)))(t)
		equal(t, append([]audit.Stamp{}, behind...), append([]audit.Stamp{}, stamps[i+1:]...))
	}
	var names []string
	for _, st := range stamps {
		names = append(names, st.ID)
	}
	equal(t, len(got(s.StoredAudits(ctx, tenant, names))(t)), 40)
	equal(t, got(s.AuditMinutes(ctx, tenant, 0, 1<<32))(t), map[int64]int64{audit.Minute(noon()): 40})
	equal(t, got(s.AuditMinutes(ctx, tenant, 0, audit.Minute(noon())))(t), map[int64]int64{})
	equal(t, len(got(s.StoredAudits(ctx, other, names))(t)), 0)
	fails(t, s.AppendAudit(ctx, audit.Event{Tenant: tenant, Time: noon(), Reason: "a\x00b"}), errs.Invalid)
}

// Events of both forms are sealed into one tree, verify, and lose their bodies
// lawfully, with a hold on one of either form.
func sealingMixed(t *testing.T, s *store.Store) {
	ctx := t.Context()
	in := mixed(60)
	in[4].Patient, in[5].Patient = "ines", "ines"
	must(t, s.AppendAudits(ctx, in))
	seal := sealer(s, noon().Add(time.Hour))
	equal(t, got(seal.Pass(ctx))(t), 60)
	equal(t, got(seal.Sweep(ctx, time.Time{}))(t), 0)
	r := verify(t, s)
	equal(t, []int64{r.Size, r.Intact, r.Faults}, []int64{60, 60, 0})

	later := noon().AddDate(6, 0, 5)
	k := keeper(s, later)
	hold := got(k.AddHold(ctx, tenant, retention.Hold{Matter: "case 7", Patient: "ines"}))(t)
	equal(t, got(k.Run(ctx))(t)[0].Erased, int64(58))
	must(t, k.Release(ctx, tenant, hold.ID))
	equal(t, got(k.Run(ctx))(t)[0].Erased, int64(2))
	_, err := sealer(s, later).Pass(ctx)
	must(t, err)
	r = got(audit.VerifyTenant(ctx, s, tenant, later.Add(time.Hour)))(t)
	equal(t, []int64{r.Faults, r.Erased}, []int64{0, 60})
}

// tamperedEntries proves of the rows that are written now what Tampering proves
// of those of the version before (AR-04).
func tamperedEntries(t *testing.T, open func(t *testing.T) (store.Engine, SQL)) {
	const entry = "(SELECT id FROM (SELECT id FROM audit_entry ORDER BY id LIMIT 1 OFFSET %d) AS one)"
	at := func(n int) string { return fmt.Sprintf(entry, n) }
	for name, c := range map[string]struct {
		statement string
		want      string
	}{
		"nothing":      {"", ""},
		"a column":     {"UPDATE audit_entry SET patient = 'ines' WHERE id = " + at(7), "changed"},
		"a grant":      {"UPDATE audit_entry SET grant_id = head WHERE id = " + at(7), "changed"},
		"a head":       {"UPDATE audit_entry SET head = (SELECT head FROM audit_entry WHERE id = " + at(9) + ") WHERE id = " + at(7), "changed"},
		"an odd head":  {"UPDATE audit_entry SET head = body WHERE id = " + at(7), "changed"},
		"a body":       {"UPDATE audit_entry SET body = (SELECT body FROM audit_entry WHERE id = " + at(9) + ") WHERE id = " + at(7), "changed"},
		"a row less":   {"DELETE FROM audit_entry WHERE id = " + at(7), "removed"},
		"another id":   {"UPDATE audit_entry SET id = (SELECT body FROM audit_entry WHERE id = " + at(9) + ") WHERE id = " + at(7), "removed"},
		"another time": {"UPDATE audit_entry SET id = SUBSTR((SELECT checkpoint FROM audit_tree), 1, 16) WHERE id = " + at(7), "removed"},
	} {
		t.Run("entries, "+name, func(t *testing.T) {
			ctx := t.Context()
			engine, sql := open(t)
			s := migrated(t, engine)
			all := numbered(20)
			for i := range all {
				all[i].ID = ""
			}
			all[9].Reason, all[9].Detail = "another", map[string]string{"another": "body"}
			must(t, s.AppendAudits(ctx, all))
			_, err := sealer(s, noon().Add(time.Hour)).Pass(ctx)
			must(t, err)
			seventh := got(s.AuditStamps(ctx, tenant, audit.Stamp{Time: noon()}, noon().Add(time.Hour)))(t)[7].ID
			if c.statement != "" {
				sql(t, c.statement)
			}
			found := faults(verify(t, s))
			equal(t, len(found) > 0, c.want != "")
			if c.want != "" && !slices.Contains(found, c.want+" "+seventh) {
				t.Errorf("%s of %s is not among %v", c.want, seventh, found)
			}
		})
	}
}
