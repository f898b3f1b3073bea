package arch

import (
	"slices"
	"strings"
	"testing"
)

const sample = `
floor 0 internal migrations
floor 1 fhir
floor 3 identity consent proxy
floor 5 oauth
floor 6 web store
floor 7 cmd
outside conformance -> internal/clock
inside oauth/flow -> oauth
inside web/pages/... -> web/pages
pin store/embedded in cmd/app
pin fhir/codec in cmd/app
pin github.com/ory/... in oauth/engine
test store -> store/embedded : one real engine
test consent -> fhir/codec : validates
`

func TestPolicyOfTheFloors(t *testing.T) {
	p, err := ParsePolicy(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		from, to  string
		own, test bool
		refused   string
	}{
		{"oauth/flow", "consent", true, false, ""},
		{"oauth/flow", "oauth", true, false, ""},
		{"oauth", "oauth/flow", true, false, "no arrow inside oauth"},
		{"consent", "proxy", true, false, "lower floors only"},
		{"identity", "consent", true, true, "lower floors only"},
		{"web/pages/signin", "store", true, false, "lower floors only"},
		{"web/pages/signin", "web/pages", true, false, ""},
		{"web/pages/signin", "web/session", true, false, "no arrow inside web"},
		{"internal/ids", "fhir", true, false, "lower floors only"},
		{"fhir", "internal/errs", true, false, ""},
		{"cmd/app", "store/embedded", true, false, ""},
		{"store", "store/embedded", true, false, "only cmd/app may"},
		{"store", "store/embedded", true, true, ""},
		{"consent", "fhir/codec", true, true, ""},
		{"consent", "fhir/codec", true, false, "only cmd/app may"},
		{"consent", "net/http", false, false, ""},
		{"conformance/smart", "internal/clock", true, false, ""},
		{"conformance/smart", "internal/errs", true, false, "outside the house"},
		{"conformance/smart", "oauth", true, true, "outside the house"},
		{"cmd/mandate", "conformance/smart", true, false, ""},
		{"util", "fhir", true, false, "util is not a room"},
		{"cmd/app", "util", true, false, "util is not a room"},
	}
	for _, c := range cases {
		got := p.Refuse(c.from, c.to, c.own, c.test)
		if c.refused == "" && got != "" || !strings.Contains(got, c.refused) {
			t.Errorf("%s -> %s (test %v): got %q, want %q", c.from, c.to, c.test, got, c.refused)
		}
	}
}

func TestPolicyThatCannotBeRead(t *testing.T) {
	for _, line := range []string{
		"floor zero internal",
		"floor 1",
		"inside web",
		"inside web in web/route",
		"allow web -> store",
		"test store -> store/embedded",
		"test store -> : a reason for nothing",
	} {
		if _, err := ParsePolicy(strings.NewReader("# first line\n" + line)); err == nil {
			t.Errorf("%q was accepted", line)
		} else if !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: the error names no line: %v", line, err)
		}
	}
}

func TestPatterns(t *testing.T) {
	cases := []struct {
		pattern, path string
		want          bool
	}{
		{"web/...", "web", true},
		{"web/...", "web/pages/consent", true},
		{"web/...", "webhook", false},
		{"web", "web/pages", false},
		{"...", "anything", true},
	}
	for _, c := range cases {
		if got := matches(c.pattern, c.path); got != c.want {
			t.Errorf("%s covers %s: got %v", c.pattern, c.path, got)
		}
	}
}

func TestFolderCirclesThatPackagesDoNotShow(t *testing.T) {
	// a/x -> b and b -> a/y is no circle of packages, but one of folders.
	edges := map[string][]string{"a/x": {"b"}, "b": {"a/y"}, "a/y": nil, "c": {"a/x", "b"}}
	if got := Fold(edges, "").Circle(); !slices.Equal(got, []string{"a", "b", "a"}) {
		t.Errorf("got circle %v", got)
	}
	delete(edges, "b")
	if got := Fold(edges, "").Circle(); got != nil {
		t.Errorf("got circle %v where there is none", got)
	}
}

func TestCircleOfParentAndChild(t *testing.T) {
	edges := map[string][]string{"web": {"web/route"}, "web/route": nil, "web/pages/a": {"web"}}
	if got := Fold(edges, "web").Circle(); got != nil {
		t.Errorf("got %v", got)
	}
	edges["web/route"] = []string{"web/pages/a"}
	if got := Fold(edges, "web").Circle(); got == nil {
		t.Error("the circle web -> route -> pages -> web was not seen")
	}
}

func TestReductionKeepsOnlyArrowsThatNothingReplaces(t *testing.T) {
	g := Graph{"cmd": {"oauth", "access", "fhir"}, "oauth": {"access", "fhir"}, "access": {"fhir"}, "fhir": nil}
	short := g.Reduce()
	for from, want := range map[string][]string{"cmd": {"oauth"}, "oauth": {"access"}, "access": {"fhir"}, "fhir": {}} {
		if !slices.Equal(short[from], want) {
			t.Errorf("%s: got %v, want %v", from, short[from], want)
		}
	}
}

func TestFloorsKeepTheOrderOfThePolicy(t *testing.T) {
	p, err := ParsePolicy(strings.NewReader(sample))
	if err != nil {
		t.Fatal(err)
	}
	floors := p.Floors()
	if len(floors) != 8 || !slices.Equal(floors[3], []string{"identity", "consent", "proxy"}) || len(floors[2]) != 0 {
		t.Errorf("got %v", floors)
	}
}
