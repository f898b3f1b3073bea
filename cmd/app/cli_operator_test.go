package app_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
)

// refused runs a command that has to be refused with a sentence.
func refused(t *testing.T, says string, args ...string) {
	t.Helper()
	code, _, errOut := cli(t, args...)
	if code != 1 || !strings.Contains(errOut, says) {
		t.Errorf("mandate %q: %d %s", args, code, errOut)
	}
}

// SE-05: database administrator, key custodian and auditor are never one person;
// who tries it is refused, and both the refusal and what was done stand in the
// audit log under the name of who did it.
func TestOperatorRolesAreDisjoint(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	run := func(args ...string) []string { return append(args, "--data", data) }
	for _, u := range []string{"ada", "bea", "cyd", "dot"} {
		role := "admin"
		if u == "dot" {
			role = "patient"
		}
		if code, _, errOut := account(t, "a long enough passphrase\n", run("--username", u, "--name", u, "--role", role)...); code != 0 {
			t.Fatal(errOut)
		}
	}
	if out := must(t, run("operator", "list")...); !strings.Contains(out, "no operators") {
		t.Error(out)
	}
	must(t, run("operator", "assign", "ada", "operator")...)
	// From now on there is somebody to ask.
	refused(t, "--as USERNAME", run("operator", "assign", "bea", "auditor")...)
	must(t, run("operator", "assign", "bea", "auditor", "--as", "ada")...)
	must(t, run("operator", "assign", "bea", "auditor", "--as", "ada")...)
	for _, role := range []string{"key-custodian", "database-administrator"} {
		refused(t, "never the same person", run("operator", "assign", "bea", role, "--as", "ada")...)
	}
	must(t, run("operator", "assign", "bea", "operator", "--as", "ada")...)
	refused(t, "their own account", run("operator", "assign", "ada", "auditor", "--as", "ada")...)
	refused(t, "does not hold the role operator", run("operator", "assign", "bea", "auditor", "--as", "cyd")...)
	refused(t, "no account of the name", run("operator", "assign", "bea", "auditor", "--as", "nobody")...)
	refused(t, "role admin", run("operator", "assign", "dot", "auditor", "--as", "ada")...)
	refused(t, "no such person", run("operator", "assign", "nobody", "auditor", "--as", "ada")...)
	refused(t, "The roles are", run("operator", "assign", "cyd", "root", "--as", "ada")...)
	must(t, run("operator", "assign", "cyd", "database-administrator", "--as", "ada")...)
	must(t, run("operator", "revoke", "cyd", "database-administrator", "--as", "bea")...)
	must(t, run("operator", "assign", "cyd", "key-custodian", "--as", "ada")...)
	list := must(t, run("operator", "list")...)
	for who, role := range map[string]string{"ada": "operator", "bea": "auditor", "cyd": "key-custodian"} {
		if !slices.ContainsFunc(strings.Split(list, "\n"), func(line string) bool {
			return strings.HasPrefix(line, who) && strings.Contains(line, role)
		}) {
			t.Errorf("the list does not say that %s is %s: %s", who, role, list)
		}
	}
	s := startIn(t, dir, func(c *app.Config) { c.Data = data })
	told := map[string]int{}
	for _, e := range s.events(t, "limit=500") {
		if strings.HasPrefix(e.Kind, "operator.") && e.PersonID != "" {
			told[e.Kind+" "+e.Reason]++
		}
	}
	for line, want := range map[string]int{
		"operator.changed ": 6, "operator.changed operator-roles-disjoint": 2, "operator.changed operator-self": 1,
		"operator.changed operator-role-missing": 1, "operator.changed operator-account": 1, "operator.changed person-not-found": 1,
	} {
		if told[line] != want {
			t.Errorf("%q stands %d times in the log, want %d: %v", line, told[line], want, told)
		}
	}
}

// SE-05: commands that belong to a role ask for it as soon as operators are
// assigned; another tenant's operators count for nothing.
func TestCommandsAskForTheirRole(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) []string { return append(args, "--data", dir) }
	add := func(as, tenant, user string) (int, string) {
		args := run("--tenant", tenant, "--username", user, "--name", user, "--role", "admin")
		if as != "" {
			args = append(args, "--as", as)
		}
		code, _, errOut := account(t, "a long enough passphrase\n", args...)
		return code, errOut
	}
	must(t, run("tenant", "add", "acme", "--name", "Acme", "--upstream", "http://localhost:1")...)
	for _, who := range [][2]string{{"default", "ada"}, {"default", "dan"}, {"default", "aud"}, {"acme", "zoe"}} {
		if code, errOut := add("", who[0], who[1]); code != 0 {
			t.Fatal(errOut)
		}
	}
	must(t, run("operator", "assign", "ada", "operator")...)
	must(t, run("operator", "assign", "dan", "database-administrator", "--as", "ada")...)
	// A tenant without operators asks those of the process.
	refused(t, "--as USERNAME", run("operator", "assign", "zoe", "operator", "--tenant", "acme")...)
	must(t, run("operator", "assign", "zoe", "operator", "--tenant", "acme", "--as", "ada")...)
	refused(t, "--as USERNAME", run("tenant", "disable", "acme")...)
	refused(t, "no account of the name", run("tenant", "disable", "acme", "--as", "zoe")...)
	refused(t, "role operator", run("tenant", "disable", "acme", "--as", "dan")...)
	must(t, run("tenant", "disable", "acme", "--as", "ada")...)
	for _, c := range [][]string{{"keys", "rotate", "kek"}, {"keys", "rotate", "kek", "--tenant", "acme"}, {"keys", "retire", "x"}, {"keys", "shred", "--patient", "x", "--yes"}} {
		refused(t, "role key-custodian", run(append(c, "--as", "ada")...)...)
	}
	refused(t, "no such tenant", run("keys", "rotate", "tenant", "--tenant", "nobody")...)
	w := makeTwins(t)
	refused(t, "--as USERNAME", run("client", "add", "--tenant", "acme", w.file)...)
	must(t, run("client", "add", "--tenant", "acme", "--as", "zoe", w.file)...)
	if code, errOut := add("dan", "default", "eve"); code != 1 || !strings.Contains(errOut, "role operator") {
		t.Errorf("%d %s", code, errOut)
	}
	if code, errOut := add("ada", "default", "eve"); code != 0 {
		t.Error(errOut)
	}
	for _, c := range [][]string{
		{"audit", "export"}, {"audit", "hold", "add", "--matter", "x"}, {"audit", "hold", "release", "x"},
		{"audit", "retention", "set", "access", "7y"}, {"audit", "retention", "erase"},
	} {
		refused(t, "role auditor", run(append(c, "--as", "ada")...)...)
	}
	must(t, run("operator", "assign", "aud", "auditor", "--as", "ada")...)
	must(t, run("audit", "export", "--as", "aud")...)
	must(t, "backup", "keygen", "--writer", dir+"-w", "--reader", dir+"-r")
	copyTo := run("backup", "make", "--to", t.TempDir(), "--backup-key", dir+"-w")
	refused(t, "--as USERNAME", copyTo...)
	refused(t, "role database-administrator", append(copyTo, "--as", "aud")...)
	must(t, append(copyTo, "--as", "dan")...)
	refused(t, "--as USERNAME", run("migrate", "down", "--to", "19", "--yes")...)
	refused(t, "role database-administrator", run("migrate", "down", "--to", "19", "--yes", "--as", "ada")...)
	must(t, run("migrate", "down", "--to", "19", "--yes", "--as", "dan")...)
	// What knew the operators is gone, so nobody can be asked.
	must(t, run("migrate", "down", "--to", "18", "--yes")...)
	must(t, run("migrate", "up")...)
	if out := must(t, run("operator", "list")...); !strings.Contains(out, "no operators") {
		t.Error(out)
	}
}
