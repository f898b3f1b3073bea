package storetest

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/store"
)

func event(id string, at time.Time) audit.Event {
	return audit.Event{ID: id, Tenant: tenant, Time: at, Kind: audit.FHIRSearch, Action: "E", Outcome: audit.Success,
		Reason: "why", PersonID: "p-maria", ClientID: "app", SessionID: "h1", Patient: "rosa",
		Capacity: fhir.Capacity{Kind: fhir.CapacityDesignatedProxy, Patient: "rosa", Purpose: "FAMRQT"},
		Resource: fhir.Reference{Type: "Observation", ID: "o1"}, ResourceVersion: "3", Query: "category=laboratory",
		Delivered: []string{"Observation/o1"}, Count: 1, GrantID: "g1", Consents: []string{"Consent/c1/_history/1"},
		TokenID: "jti", Network: "192.0.2.1", RequestID: "r1", Detail: map[string]string{"a": "b"}}
}

func auditRoundTrip(t *testing.T, s *store.Store) {
	ctx := t.Context()
	full := event("e1", noon())
	bare := audit.Event{ID: "e2", Tenant: tenant, Time: noon().Add(-time.Second), Kind: audit.LoginFailed}
	must(t, s.AppendAudit(ctx, full))
	must(t, s.AppendAudit(ctx, bare))
	must(t, s.AppendAudit(ctx, audit.Event{Tenant: other, Time: noon(), Kind: audit.LoggedOut}))
	equal(t, got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t), []audit.Event{full, bare})
	unnamed := got(s.Audits(ctx, audit.Filter{Tenant: other}))(t)
	equal(t, len(unnamed[0].ID), 32)
	// Events are only ever added: an id cannot be written twice.
	fails(t, s.AppendAudit(ctx, audit.Event{ID: "e1", Tenant: tenant, Kind: audit.LoggedOut}), errs.Conflict)
	equal(t, got(s.Audits(ctx, audit.Filter{Tenant: tenant, Limit: 1}))(t), []audit.Event{full})
}

func auditFilters(t *testing.T, s *store.Store) {
	ctx := t.Context()
	var all []audit.Event
	for i, id := range []string{"e0", "e1", "e2", "e3"} {
		e := event(id, noon().Add(time.Duration(i)*time.Second))
		all = append(all, e)
	}
	all[0].Patient, all[1].PersonID, all[2].GrantID, all[3].ClientID, all[3].Kind = "", "", "", "", audit.FHIRRead
	must(t, s.AppendAudits(ctx, all))
	for name, c := range map[string]struct {
		f    audit.Filter
		want []string
	}{
		"all":     {audit.Filter{}, []string{"e3", "e2", "e1", "e0"}},
		"patient": {audit.Filter{Patient: "rosa"}, []string{"e3", "e2", "e1"}},
		"person":  {audit.Filter{PersonID: "p-maria"}, []string{"e3", "e2", "e0"}},
		"grant":   {audit.Filter{GrantID: "g1", Patient: "rosa"}, []string{"e3", "e1"}},
		"client":  {audit.Filter{ClientID: "app"}, []string{"e2", "e1", "e0"}},
		"kind":    {audit.Filter{Kinds: []audit.Kind{audit.FHIRRead}}, []string{"e3"}},
		"kinds":   {audit.Filter{Kinds: []audit.Kind{audit.FHIRRead, audit.FHIRSearch}}, []string{"e3", "e2", "e1", "e0"}},
		"none":    {audit.Filter{Patient: "nobody"}, nil},
		"limit":   {audit.Filter{Limit: 2}, []string{"e3", "e2"}},
		"before":  {audit.Filter{Before: all[2].Time}, []string{"e1", "e0"}},
		"bounds":  {audit.Filter{Since: all[1].Time, Until: all[2].Time}, []string{"e2", "e1"}},
	} {
		c.f.Tenant = tenant
		var ids []string
		for _, e := range got(s.Audits(ctx, c.f))(t) {
			ids = append(ids, e.ID)
		}
		t.Run(name, func(t *testing.T) { equal(t, ids, c.want) })
	}
}

func auditBatch(t *testing.T, s *store.Store) {
	ctx := t.Context()
	must(t, s.AppendAudits(ctx, nil))
	fails(t, s.AppendAudits(ctx, []audit.Event{event("e1", noon()), event("e2", noon()), event("e1", noon())}), errs.Conflict)
	equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), 0)
	var many []audit.Event
	for range 150 {
		many = append(many, event("", noon()))
	}
	must(t, s.AppendAudits(ctx, many))
	equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)), 100)
	equal(t, len(got(s.Audits(ctx, audit.Filter{Tenant: tenant, Limit: 1000}))(t)), 150)
}
