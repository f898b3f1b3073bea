package app_test

import (
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
)

// SE-05: given-up work is done again only by an operator, and the audit log
// says who asked for it.
func TestJobsAreRetriedByOperators(t *testing.T) {
	dir := t.TempDir()
	data := dir + "/data"
	run := func(args ...string) []string { return append(args, "--data", data) }
	for _, who := range []string{"ada", "dan"} {
		if code, _, errOut := account(t, "a long enough passphrase\n", run("--username", who, "--name", who, "--role", "admin")...); code != 0 {
			t.Fatal(errOut)
		}
	}
	if out := must(t, run("jobs")...); !strings.Contains(out, "notices: 0 waiting, 0 given up") {
		t.Error(out)
	}
	must(t, run("jobs", "retry", "notices")...)
	must(t, run("operator", "assign", "ada", "operator")...)
	must(t, run("operator", "assign", "dan", "auditor", "--as", "ada")...)
	refused(t, "--as USERNAME", run("jobs", "retry", "notices")...)
	refused(t, "role operator", run("jobs", "retry", "notices", "--as", "dan")...)
	refused(t, "the queues are: notices", run("jobs", "retry", "letters", "--as", "ada")...)
	if out := must(t, run("jobs", "retry", "notices", "--as", "ada")...); !strings.Contains(out, "0 to be done again") {
		t.Error(out)
	}
	s := startIn(t, dir, func(c *app.Config) { c.Data = data })
	told := map[string]int{}
	for _, e := range s.events(t, "limit=500") {
		if e.Kind == "operator.acted" {
			told[e.Reason]++
		}
	}
	// Two accounts made and two retries; two refusals.
	if told[""] != 4 || told["operator-missing"] != 1 || told["operator-role-missing"] != 1 {
		t.Errorf("the log has %v", told)
	}
}
