package arch

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// house loads the module once for all tests of it.
var house = sync.OnceValues(func() (*Tree, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	return Load(root)
})

func tree(t *testing.T) *Tree {
	t.Helper()
	loaded, err := house()
	if err != nil {
		t.Fatal(err)
	}
	if len(loaded.Packages) < 40 {
		t.Fatalf("only %d packages found: the checks below would say nothing", len(loaded.Packages))
	}
	return loaded
}

func policy(t *testing.T) *Policy {
	t.Helper()
	data, err := os.Open("deps.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	p, err := ParsePolicy(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func report(t *testing.T, found []Violation) {
	t.Helper()
	for _, v := range found {
		t.Error(v)
	}
}

// Every import goes the way deps.txt allows. Do not change that data to fix a
// build.
func TestImportsFollowThePolicy(t *testing.T) { report(t, tree(t).CheckImports(policy(t))) }

// Go forbids circles of packages; this forbids circles of folders.
func TestNoFolderIsPartOfACircle(t *testing.T) { report(t, tree(t).CheckCircles()) }

func TestBudgetsAreKept(t *testing.T) { report(t, tree(t).CheckBudgets()) }

func TestCallsStayInTheirPlace(t *testing.T) {
	data, err := os.Open("calls.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	rules, err := ParseCalls(data)
	if err != nil {
		t.Fatal(err)
	}
	report(t, tree(t).CheckCalls(rules))
}

func TestColoursLiveInOneFile(t *testing.T) {
	found, err := CheckColours(tree(t).Root)
	if err != nil {
		t.Fatal(err)
	}
	report(t, found)
}

// What serves tests must not be linked into the program people install.
func TestTheBinaryHoldsNoTestCode(t *testing.T) {
	found, err := CheckLinked(tree(t).Root, policy(t))
	if err != nil {
		t.Fatal(err)
	}
	report(t, found)
}

// A line that no import uses any more is a door left open.
func TestEveryTestExceptionIsUsed(t *testing.T) {
	p := policy(t)
	for _, exception := range p.tests {
		if exception.from == "..." {
			continue
		}
		for _, to := range exception.to {
			if !usedByTests(tree(t), exception.from, to) {
				t.Errorf("deps.txt: no test of %s imports %s: remove the line", exception.from, to)
			}
		}
	}
}

func usedByTests(t *Tree, from, to string) bool {
	for _, pkg := range t.Packages {
		for _, f := range pkg.Files {
			for _, i := range f.Imports {
				if f.Test && matches(from, pkg.Path) && matches(to, i.Path) {
					return true
				}
			}
		}
	}
	return false
}

func TestTheReasonOfAViolationNamesFileAndLine(t *testing.T) {
	v := Violation{"oauth/flow/steps.go:12", "imports store: web and store never meet"}
	if got := v.String(); !strings.HasPrefix(got, "oauth/flow/steps.go:12: ") {
		t.Errorf("got %q", got)
	}
}
