package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/audit/retention"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/store"
)

// SQL runs one statement past Mandate, as somebody with the database's
// password would.
type SQL func(t *testing.T, statement string)

const (
	columnsBehindID = "time, kind, action, outcome, reason, person_id, client_id, session_id, patient, resource, grant_id, request_id, body"
	columns         = "tenant, id, " + columnsBehindID
)

// tamperings are what somebody does by SQL to the log of 700 events, and what
// verification says: "fault event", in order; "…" behind it says that there may
// be more. In a statement #7 stands for the id of event 7 in quotes.
//
// long: a table.
func tamperings() map[string]tampering {
	return map[string]tampering{
		"nothing": {},
		// What an event says.
		"a patient":  {"UPDATE audit_event SET patient = 'ines' WHERE id = #7", "changed #7"},
		"a person":   {"UPDATE audit_event SET person_id = 'somebody' WHERE id = #7", "changed #7"},
		"no person":  {"UPDATE audit_event SET person_id = '' WHERE id = #7", "changed #7"},
		"a client":   {"UPDATE audit_event SET client_id = 'another' WHERE id = #7", "changed #7"},
		"a session":  {"UPDATE audit_event SET session_id = 's' WHERE id = #7", "changed #7"},
		"a grant":    {"UPDATE audit_event SET grant_id = 'g9' WHERE id = #7", "changed #7"},
		"a request":  {"UPDATE audit_event SET request_id = 'r9' WHERE id = #7", "changed #7"},
		"a kind":     {"UPDATE audit_event SET kind = 'logout' WHERE id = #7", "changed #7"},
		"an action":  {"UPDATE audit_event SET action = 'D' WHERE id = #7", "changed #7"},
		"an outcome": {"UPDATE audit_event SET outcome = '8' WHERE id = #7", "changed #7"},
		"a reason":   {"UPDATE audit_event SET reason = 'another' WHERE id = #7", "changed #7"},
		"a resource": {"UPDATE audit_event SET resource = 'Observation/o9' WHERE id = #7", "changed #7"},
		"an odd one": {"UPDATE audit_event SET resource = '?' WHERE id = #7", "changed #7"},
		"a time":     {"UPDATE audit_event SET time = time + 1 WHERE id = #7", "changed #7"},
		"an hour":    {"UPDATE audit_event SET time = time + 3600000000 WHERE id = #7", "changed #7"},
		"all":        {"UPDATE audit_event SET reason = 'x' WHERE id IN (#1, #2, #3)", "changed #1, changed #2, changed #3"},
		"a body":     {"UPDATE audit_event SET body = (SELECT body FROM audit_event WHERE id = #600) WHERE id = #7", "changed #7"},
		"no body":    {"UPDATE audit_event SET body = (SELECT checkpoint FROM audit_tree WHERE tenant = 'hospital') WHERE id = #7", "changed #7"},
		"an erasure": {"UPDATE audit_event SET kind = 'audit.erased', reason = 'retention' WHERE id = #7", "changed #7"},
		// Which events there are.
		"one less": {"DELETE FROM audit_event WHERE id = #300", "removed #300"},
		"two less": {"DELETE FROM audit_event WHERE id IN (#300, #301)", "removed #300, removed #301"},
		"one more": {"INSERT INTO audit_event (" + columns + ") SELECT tenant, 'forged', " + columnsBehindID + " FROM audit_event WHERE id = #9", "added forged"},
		"swapped": {"UPDATE audit_event SET id = 'x' WHERE id = #3; " +
			"UPDATE audit_event SET id = #3 WHERE id = #4; UPDATE audit_event SET id = #4 WHERE id = 'x'", "changed #3, changed #4"},
		"renamed":         {"UPDATE audit_event SET id = 'x' WHERE id = #3", "added x, removed #3"},
		"to another":      {"UPDATE audit_event SET tenant = 'clinic' WHERE id = #7", "removed #7"},
		"from another":    {"UPDATE audit_event SET tenant = 'hospital' WHERE tenant = 'clinic'", "added foreign"},
		"none left":       {"DELETE FROM audit_event WHERE tenant = 'hospital' AND id > #2", "removed #3…"},
		"a record":        {"DELETE FROM audit_entry WHERE patient = 'held'", "hold-changed hold, removed held"},
		"an erasure less": {"DELETE FROM audit_event WHERE kind = 'audit.erased'", "erased-without-record #649, removed erasure"},
		"an erasure more": {"UPDATE audit_event SET time = time + 1 WHERE kind = 'audit.erased'", "changed erasure, erased-without-record erasure"},
		"a record's body": {"UPDATE audit_event SET body = (SELECT body FROM audit_event WHERE id = #9) WHERE kind = 'audit.erased'", "changed erasure, erased-without-record #649"},
		"an erased body":  {"UPDATE audit_event SET body = (SELECT body FROM audit_event WHERE id = #649) WHERE id = #7", "changed #7"},
		"another's end":   {"UPDATE audit_event SET reason = 'tenant-keys-destroyed', kind = 'audit.erased' WHERE id = #7", "changed #7"},
		// The tree.
		"leaves less":  {"DELETE FROM audit_batch WHERE first = 256", "missing…"},
		"places moved": {"UPDATE audit_batch SET first = first + 1 WHERE first = 512", "reordered #512…"},
		"runs swapped": {"UPDATE audit_batch SET first = -1 WHERE first = 0; " +
			"UPDATE audit_batch SET first = 0 WHERE first = 256; UPDATE audit_batch SET first = 256 WHERE first = -1", "reordered #256…"},
		"leaves emptied":  {"UPDATE audit_batch SET leaves = (SELECT checkpoint FROM audit_tree WHERE tenant = 'hospital') WHERE first = 512", "added #512…"},
		"a run's dates":   {"UPDATE audit_batch SET oldest = oldest + 1 WHERE first = 256", "index-changed"},
		"a kept hash":     {"UPDATE audit_node SET hash = (SELECT hash FROM audit_node WHERE n = 1) WHERE n = 0", "index-changed"},
		"no kept hash":    {"DELETE FROM audit_node WHERE n = 0", "index-changed"},
		"a count":         {"UPDATE audit_minute SET leaves = leaves + 1 WHERE minute = (SELECT MIN(minute) FROM audit_minute)", "index-changed"},
		"no count":        {"DELETE FROM audit_minute WHERE tenant = 'hospital'", "index-changed…"},
		"the size":        {"UPDATE audit_tree SET size = size + 1 WHERE tenant = 'hospital'", "index-changed"},
		"the sealed time": {"UPDATE audit_tree SET sealed = sealed - 60000000 WHERE tenant = 'hospital'", "index-changed"},
		"no tree":         {"DELETE FROM audit_tree WHERE tenant = 'hospital'", "truncated, truncated, truncated"},
		// Checkpoints.
		"another's":    {"UPDATE audit_tree SET checkpoint = (SELECT checkpoint FROM audit_tree WHERE tenant = 'clinic') WHERE tenant = 'hospital'", "bad-checkpoint"},
		"a broken one": {"UPDATE audit_tree SET checkpoint = (SELECT hash FROM audit_node WHERE n = 0) WHERE tenant = 'hospital'", "bad-checkpoint"},
		"a broken kept": {"UPDATE audit_checkpoint SET checkpoint = (SELECT hash FROM audit_node WHERE n = 0) WHERE tenant = 'hospital'",
			"bad-checkpoint, bad-checkpoint, bad-checkpoint"},
		"the tail": {"DELETE FROM audit_entry; DELETE FROM audit_event WHERE tenant = 'hospital' AND (id > #599 OR kind <> 'fhir.read'); DELETE FROM audit_batch WHERE first >= 600; " +
			"UPDATE audit_tree SET size = 600 WHERE tenant = 'hospital'", "truncated…"},
		// What is kept from erasure, and for how long.
		"a hold ended":    {"UPDATE audit_hold SET released = 1", "hold-changed hold"},
		"a hold narrowed": {"UPDATE audit_hold SET patient = 'nobody'", "hold-changed hold"},
		"a hold less":     {"DELETE FROM audit_hold", "hold-changed hold"},
		"a hold more":     {"INSERT INTO audit_hold (tenant, id, matter, patient, person_id, created, released) VALUES ('hospital', 'more', 'm', '', '', 1, 0)", "hold-changed more"},
		"a shorter time":  {"UPDATE audit_retention SET days = 1 WHERE class = 'access'", "retention-changed"},
		"no time":         {"DELETE FROM audit_retention WHERE class = 'access'", "retention-changed"},
		"another class's": {"INSERT INTO audit_retention (tenant, class, days, erased) VALUES ('hospital', 'security', 1, 0)", "retention-changed"},
		// The log's keys.
		"a key's beginning": {"UPDATE audit_key SET starts = starts + 1 WHERE generation = 2 AND tenant = 'hospital'", "log-key-changed announced"},
		"a public key": {"UPDATE audit_key SET verifier_key = (SELECT verifier_key FROM audit_key WHERE generation = 2 AND tenant = 'hospital')" +
			" WHERE generation = 1 AND tenant = 'hospital'", "log-key-changed"},
		"no public key": {"UPDATE audit_key SET verifier_key = 'x' WHERE generation = 2 AND tenant = 'hospital'", "log-key-changed announced"},
		"a key less":    {"DELETE FROM audit_key WHERE generation = 2 AND tenant = 'hospital'", "log-key-changed announced"},
	}
}

type tampering struct{ statements, want string }

// Tampering proves that what SQL does to a sealed log is found and named
// (AR-04, D8). open gives an engine on an empty database and a way past it.
func Tampering(t *testing.T, open func(t *testing.T) (store.Engine, SQL)) {
	engine, sql := open(t)
	s := migrated(t, engine)
	l := sealedLog(t, s)
	tables := []string{"audit_event", "audit_entry", "audit_tree", "audit_batch", "audit_node", "audit_minute", "audit_checkpoint", "audit_hold", "audit_retention", "audit_key"}
	for _, table := range tables {
		sql(t, "CREATE TABLE spare_"+table+" AS SELECT * FROM "+table)
	}
	for name, c := range tamperings() {
		t.Run(name, func(t *testing.T) {
			sql(t, l.write(c.statements, "'"))
			have := strings.Join(l.found(t, s), ", ")
			for id, name := range l.names {
				have = strings.ReplaceAll(have, id, name)
			}
			want, more := strings.CutSuffix(l.write(c.want, ""), "…")
			if have != want && !(more && strings.Contains(have+",", want+",")) {
				t.Errorf("found %s, want %s", have[:min(len(have), 400)], want)
			}
			for _, table := range tables {
				sql(t, "DELETE FROM "+table+"; INSERT INTO "+table+" SELECT * FROM spare_"+table)
			}
		})
	}
	tamperedEntries(t, open)
	t.Run("a log built anew", func(t *testing.T) { rebuilt(t, open) })
}

// tamperedLog is a log to tamper with.
type tamperedLog struct {
	// names are the ids that the store made.
	names map[string]string
}

// sealedLog gives one with an erasure, a hold, a rule and rotated keys.
func sealedLog(t *testing.T, s *store.Store) *tamperedLog {
	t.Helper()
	ctx, now := t.Context(), noon().Add(time.Hour)
	l := &tamperedLog{names: map[string]string{}}
	all := numbered(700)
	all[600].Detail = map[string]string{"another": "body"}
	all[649].Kind = audit.LoginFailed
	must(t, s.AppendAudits(ctx, all))
	foreign := event("foreign", noon())
	foreign.Tenant = "clinic"
	must(t, s.AppendAudit(ctx, foreign))
	_, err := sealer(s, now).Pass(ctx)
	must(t, err)
	commitment := got(got(audit.OpenLogKeys(ctx, s, ids.Source{}, tenant))(t).Commitment(all[649]))(t)
	erasure := audit.Erasure(tenant, audit.ClassSecurity, now, now.Add(-10*time.Minute))
	erasure.ID = "erasure"
	must(t, s.AppendAudit(ctx, erasure))
	equal(t, got(s.EraseAudits(ctx, tenant, []retention.Erasing{{ID: all[649].ID, Commitment: commitment}}))(t), int64(1))
	k := keeper(s, now)
	hold := got(k.AddHold(ctx, tenant, retention.Hold{Matter: "case 7", Patient: "held"}))(t)
	must(t, k.Set(ctx, tenant, retention.Rule{Class: audit.ClassAccess, Days: 3000}, false))
	key := got(rotateLog(t, s, now))(t)
	_, err = sealer(s, now).Pass(ctx)
	must(t, err)
	l.names[hold.ID], l.names[key.Event] = "hold", "announced"
	l.names[got(s.Audits(ctx, audit.Filter{Tenant: tenant, Kinds: []audit.Kind{audit.AuditHeld}}))(t)[0].ID] = "held"
	equal(t, l.found(t, s), []string(nil))
	return l
}

// found verifies the log.
func (l *tamperedLog) found(t *testing.T, s *store.Store) []string {
	t.Helper()
	r := verify(t, s)
	for _, f := range got(keeper(s, noon()).Check(t.Context(), tenant))(t) {
		r.Add(f)
	}
	return faults(r)
}

// write puts ids in.
func (l *tamperedLog) write(text, quote string) string {
	for n := 700; n > 0; n-- {
		text = strings.ReplaceAll(text, fmt.Sprintf("#%d", n), quote+fmt.Sprintf("%032x", n)+quote)
	}
	return strings.ReplaceAll(text, "'hospital'", "'"+tenant+"'")
}

// Who builds the whole tree anew, or cuts off its tail, with the log's own
// keys is betrayed by a checkpoint kept elsewhere, and by nothing else.
func rebuilt(t *testing.T, open func(t *testing.T) (store.Engine, SQL)) {
	ctx := t.Context()
	engine, sql := open(t)
	s := migrated(t, engine)
	must(t, s.AppendAudits(ctx, numbered(20)))
	now := noon().Add(time.Hour)
	_, err := sealer(s, now).Pass(ctx)
	must(t, err)
	kept := got(s.LedgerHead(ctx, tenant))(t).Checkpoint
	equal(t, verify(t, s, kept).OK(), true)
	anew := func(change string) *audit.Report {
		for _, table := range []string{"audit_tree", "audit_batch", "audit_node", "audit_minute", "audit_checkpoint"} {
			sql(t, "DELETE FROM "+table)
		}
		sql(t, change)
		_, err := sealer(s, now).Pass(ctx)
		must(t, err)
		equal(t, verify(t, s).OK(), true)
		return verify(t, s, kept)
	}
	equal(t, faults(anew("UPDATE audit_event SET reason = 'other' WHERE reason = 'why'")), []string{"tree-differs"})
	equal(t, faults(anew("DELETE FROM audit_event WHERE id > '"+fmt.Sprintf("%032x", 15)+"'")), []string{"truncated"})
	sql(t, "UPDATE audit_key SET verifier_key = 'x'")
	must(t, s.AppendAudit(ctx, event("later", now)))
	_, err = sealer(s, now.Add(time.Hour)).Pass(ctx)
	equal(t, errs.As(err).Code, "audit-key-broken")
	sql(t, "DELETE FROM named_secret")
	if found := faults(got(audit.VerifyTenant(ctx, s, tenant, now))(t)); !slices.Contains(found, "log-key-changed") || !slices.Contains(found, "bad-checkpoint") {
		t.Errorf("without its secrets: %v", found)
	}
}
