package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/store"
)

// olderNodes: as long as a node of the version before runs, what it must read is
// written as it was before; then the short forms are, and nobody loses a code, a
// token, a request or an event, or accepts an assertion twice.
func olderNodes(t *testing.T, e store.Engine) {
	ctx := t.Context()
	o := Options(t)
	short := migratedWith(t, e, o)
	raw := func(sql string) {
		t.Helper()
		must(t, e.InTx(ctx, func(c store.Conn) error {
			_, err := c.Exec(ctx, sql)
			return err
		}))
	}
	count := func(sql string) (n int64) {
		t.Helper()
		must(t, e.Read().QueryRow(ctx, sql).Scan(&n))
		return n
	}
	raw("INSERT INTO node_heartbeat (node, at_node, at_db) VALUES ('before', 0, " + e.Dialect().Now + ")")
	long := store.New(e, o)
	must(t, long.Migrate(ctx))
	must(t, long.Beat(ctx, "new", noon()))
	old := written(t, long, "1")
	equal(t, got(long.CarryPending(ctx, old.pending))(t), "")
	equal(t, count("SELECT COUNT(*) FROM audit_entry"), int64(0))
	equal(t, count("SELECT COUNT(*) FROM auth_code WHERE LENGTH(hash) = 64"), int64(1))
	equal(t, count("SELECT COUNT(*) FROM refresh_token WHERE LENGTH(hash) = 64"), int64(1))
	equal(t, count("SELECT COUNT(*) FROM used_assertion WHERE LENGTH(guard) = 43"), int64(1))
	equal(t, count("SELECT COUNT(*) FROM pending WHERE browser = 'b'"), int64(1))
	equal(t, count("SELECT COUNT(*) FROM app_grant WHERE scopes <> ''"), int64(2))
	equal(t, count("SELECT COUNT(*) FROM consent"), int64(2))
	// Whoever finds that every node reads it begins a chain.
	old.found(t, short, 1)
	must(t, long.Beat(ctx, "new", noon()))
	again := written(t, long, "2")
	equal(t, count("SELECT COUNT(*) FROM audit_entry"), int64(0))
	// A node that ends says so; one that was killed is not heard of for long.
	raw("UPDATE node_heartbeat SET at_db = at_db - 600000000 WHERE node = 'before'")
	must(t, long.Beat(ctx, "new", noon()))
	fresh := written(t, long, "3")
	equal(t, count("SELECT COUNT(*) FROM audit_entry"), int64(1))
	equal(t, count("SELECT COUNT(*) FROM auth_code WHERE LENGTH(hash) = 22"), int64(1))
	equal(t, count("SELECT COUNT(*) FROM refresh_token"), int64(2))
	equal(t, count("SELECT COUNT(*) FROM refresh_chain WHERE LENGTH(newest) = 16"), int64(2))
	equal(t, count("SELECT COUNT(*) FROM used_assertion WHERE LENGTH(guard) = 22"), int64(1))
	equal(t, count("SELECT COUNT(*) FROM pending WHERE browser = ''"), int64(1))
	equal(t, count("SELECT COUNT(*) FROM app_grant WHERE LENGTH(packed) > 0"), int64(2))
	equal(t, count("SELECT COUNT(*) FROM consent"), int64(5))
	again.found(t, long, 3)
	fresh.found(t, short, 3)
}

// forms is one of each thing that has two stored forms.
type forms struct {
	code    oauth.Code
	refresh oauth.Rotation
	pending oauth.Pending
	consent consent.Record
	grant   oauth.Grant
	agreed  consent.Approval
	jti     string
}

func written(t *testing.T, s *store.Store, n string) forms {
	t.Helper()
	ctx, f := t.Context(), forms{code: code(), refresh: follows("", strings.Repeat("e"+n, 32), noon()), jti: "jti" + n}
	f.code.Hash, f.refresh.GrantID = strings.Repeat("c"+n, 32), "g"+n
	f.pending = oauth.Pending{
		Tenant: tenant, ID: "f" + n, Browser: "b", SessionHash: f.code.Hash, PersonID: "p", Created: noon(), Expires: noon().Add(time.Hour),
		LaunchUser: fhir.Reference{Type: "Practitioner", ID: "dr"}, Context: oauth.Context{Patient: "rosa", Intent: "order"},
		Capacity: fhir.Capacity{Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa", Purpose: "PATRQT", Relationship: "DAU"},
		Request: oauth.AuthorizeRequest{
			ClientID: "app", RedirectURI: "https://app.example/cb", Scope: "launch openid", State: "<s>&é\x00", Aud: "https://fhir.example/r4", Challenge: "ch",
			Nonce: "n", Launch: "l", LoginHint: "rosa", MaxAge: 5, Prompt: []string{"login", "consent"}, ACR: []string{"a b"},
		},
	}
	f.consent = consent.Record{
		Tenant: tenant, ID: "c" + n, Version: 1, Patient: "rosa", Status: "active", Kind: consent.KindAppApproval,
		Actors: []fhir.Reference{{Type: "Device", ID: "app"}}, JSON: []byte(strings.Repeat(`{"resourceType":"Consent"}`, 20)), Updated: noon(),
	}
	must(t, s.CreateCode(ctx, f.code))
	must(t, s.CreateGrant(ctx, grant("g"+n, noon())))
	must(t, rotate(ctx, s, f.refresh))
	must(t, s.UseAssertion(ctx, tenant, "iss", f.jti, noon()))
	must(t, s.PutPending(ctx, f.pending))
	must(t, s.PutConsent(ctx, f.consent, 0))
	f.grant, f.agreed = approved("a"+n, "rosa")
	must(t, s.CreateApproved(ctx, f.grant, f.agreed))
	must(t, s.AppendAudit(ctx, event("", noon())))
	return f
}

// found wants everything, each thing that works once working once.
func (f forms) found(t *testing.T, s *store.Store, events int) {
	t.Helper()
	ctx := t.Context()
	equal(t, got(s.CodeByHash(ctx, tenant, f.code.Hash))(t), f.code)
	equal(t, got(s.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: f.code.Hash}, noon()))(t), true)
	equal(t, got(s.UseCode(ctx, oauth.Code{Tenant: tenant, Hash: f.code.Hash}, noon()))(t), false)
	// Whichever node rotates, the token is the newest once, and older ones are
	// told from it.
	last := f.refresh
	for _, next := range []string{strings.Repeat("d1", 32), strings.Repeat("d2", 32)} {
		newest, _, err := s.RefreshStanding(ctx, tenant, oauth.RefreshRef{Hash: last.To, GrantID: last.GrantID})
		must(t, err)
		equal(t, newest.Rotated.IsZero(), true)
		last.From, last.To = last.To, next
		equal(t, got(s.RotateRefresh(ctx, last))(t), true)
		equal(t, got(s.RotateRefresh(ctx, last))(t), false)
		before, _, err := s.RefreshStanding(ctx, tenant, oauth.RefreshRef{Hash: last.From, GrantID: last.GrantID})
		must(t, err)
		equal(t, before.Rotated, last.At)
	}
	fails(t, s.UseAssertion(ctx, tenant, "iss", f.jti, noon()), errs.Conflict)
	equal(t, got(s.PendingByID(ctx, tenant, f.pending.ID))(t), f.pending)
	equal(t, got(s.ConsentByID(ctx, tenant, f.consent.ID))(t), f.consent)
	equal(t, got(s.GrantByID(ctx, tenant, f.grant.ID))(t), f.grant)
	equal(t, got(s.ConsentByID(ctx, tenant, f.grant.ID))(t), got(f.agreed.Record(tenant))(t))
	all := got(s.Audits(ctx, audit.Filter{Tenant: tenant}))(t)
	equal(t, len(all), events)
	equal(t, len(got(s.StoredAudits(ctx, tenant, []string{all[0].ID, all[len(all)-1].ID}))(t)), min(2, events))
}
