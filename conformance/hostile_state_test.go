package conformance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/testpg"
)

// tables gives what each table of a database holds, as a number that changes with
// any row.
func tables(t *testing.T, c *testpg.Cluster) map[string]string {
	t.Helper()
	ask := func(sql string) string {
		t.Helper()
		out, err := c.SQL(sql)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(out)
	}
	var statements []string
	for name := range strings.Lines(ask(`SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')`)) {
		name = strings.TrimSpace(name)
		statements = append(statements, fmt.Sprintf(`SELECT '%[1]s' AS name, COUNT(*) || '/' || COALESCE(SUM(hashtextextended(t::text, 0)), 0) AS held FROM %[1]s t`, name))
	}
	held := map[string]string{}
	if err := json.Unmarshal([]byte(ask(`SELECT json_object_agg(name, held) FROM (`+strings.Join(statements, " UNION ALL ")+`) all_tables`)), &held); err != nil {
		t.Fatal(err)
	}
	return held
}

// kept are the tables in which something may change while hostile requests are
// refused, with the reason.
var kept = map[string]string{
	"lease": "jobs of the server", "node_heartbeat": "jobs of the server", "reseal_pass": "jobs of the server",
	"named_secret":   "the server's own secrets, made when they are first needed",
	"flight":         "the last refusals of a client, for its developer: a bounded number, without what was sent",
	"used_assertion": "a good assertion is spent, once, by a request that is refused for something else (ASY-10)",
}

// What is refused leaves nothing behind but its record in the audit log.
func TestHostileInputWritesNothing(t *testing.T) {
	cluster := testpg.New(t)
	s := another(t, "nothing", "--database", cluster.DSN)
	target := s.open(t)
	before := tables(t, cluster)
	for _, row := range rowsByID(t, "MANDATE BAD-01", "MANDATE BAD-02", "MANDATE BAD-03", "MANDATE BAD-04", "MANDATE BAD-05", "MANDATE BAD-06", "MANDATE BAD-08") {
		must(t, target, row)
	}
	after := tables(t, cluster)
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if after[name] != before[name] && kept[name] == "" && !strings.HasPrefix(name, "audit_") {
			t.Errorf("%s held %s and holds %s", name, before[name], after[name])
		}
	}
	if after["audit_entry"] == before["audit_entry"] {
		t.Error("no refusal is in the audit log")
	}
}
