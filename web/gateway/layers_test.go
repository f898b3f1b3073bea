//go:build mutation

package gateway_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/sandbox"
)

// secret is a record with a canary that somebody must not get.
type secret struct{ name, canary string }

var (
	anotherPatient = secret{"another patient", canary}
	anotherType    = secret{"type without a scope", "CANARY-TYPE"}
	outsideLimits  = secret{"outside the scope's limits", "CANARY-LIMIT"}
	sensitive      = secret{"topic not shared", "SECRET-HIV"}
	psychotherapy  = secret{"psychotherapy note", "CANARY-PSY"}
	notConsented   = secret{"no consent opens it", "CANARY-CONSENT"}
)

var secrets = []secret{anotherPatient, anotherType, outsideLimits, sensitive, psychotherapy, notConsented}

// askers are those who try, each with what must not leave to them.
var askers = []struct {
	name string
	keep []secret
	set  func(w *world)
}{
	{"patient's app", []secret{anotherPatient, anotherType, outsideLimits, sensitive, psychotherapy}, func(w *world) {
		w.token("asker", "patient/Patient.rs patient/Observation.rs?category="+obsCategory+"|laboratory", self("rosa"))
	}},
	{"proxy", []secret{anotherPatient, sensitive, psychotherapy, notConsented}, func(w *world) {
		w.asDaughter("patient/*.rs")
		w.verifier["asker"] = w.verifier["elena"]
	}},
	{"clinician's app", []secret{anotherPatient, anotherType, psychotherapy}, func(w *world) {
		w.token("asker", "patient/Observation.rs", practitioner())
		b := w.verifier["asker"]
		b.Grant.Context.Patient = "rosa"
		w.verifier["asker"] = b
	}},
	{"service of a group", []secret{anotherPatient, anotherType, psychotherapy}, func(w *world) {
		w.system("asker", "system/Observation.rs")
		b := w.verifier["asker"]
		b.Client.PatientGroup = "circle"
		w.verifier["asker"] = b
	}},
}

// layers are what stands between a record and who must not get it. Each can be
// taken away. That a token is in the right hands is one more, before a started
// server: cmd/app/thief_test.go.
var layers = []struct {
	name string
	off  func() (restore func())
}{
	{"none", func() func() { return func() {} }},
	{"scope", func() func() { return access.Without("scope") }},
	{"compartment", func() func() { return access.Without("compartment") }},
	{"consent", func() func() { return access.Without("consent") }},
	{"label", func() func() { return access.Without("label") }},
	{"law", func() func() { return access.Without("law") }},
	{"rewrite", func() func() { return access.Without("rewrite") }},
	{"post-filter", access.WithoutFilter},
}

// attempts are ways to a record.
var attempts = []string{
	"/Observation?_count=100", "/Observation?patient=Patient/ines", "/Observation?subject=Patient/rosa,Patient/ines&_count=100", "/Observation?code=1&_count=100",
	"/Condition?_count=100", "/MedicationRequest?_count=100", "/DocumentReference", "/Patient", "/Patient?_id=rosa,ines&_revinclude=Observation:subject",
	"/Observation?_include=Observation:subject&_include=Observation:performer&_count=100", "/Condition?_include=Condition:asserter", "/Provenance?target=Observation/ines-lab",
	"/Patient/rosa/Observation?_count=100", "/Patient/ines/Observation?_count=100", "/Patient/rosa/*", "/Patient/rosa/$everything?_count=100", "/Patient/ines/$everything?_count=100",
	"/Binary/ines-pdf", "/Binary/orphan", "/Group/ward", "/Bundle/old", "/Task/task", "/RelatedPerson/upstream-rp", "/Provenance/of-both", "/Provenance/of-hiv", "/Practitioner/hidden-doc",
}

// layerWorld has a canary of every kind.
func layerWorld(t *testing.T) *world {
	t.Helper()
	add := func(typ, id, extra string) sandbox.Resource {
		return sandbox.Resource{Type: typ, ID: id, JSON: []byte(`{"resourceType":"` + typ + `","id":"` + id + `"` + extra + `}`)}
	}
	category := func(code string) string {
		return `,"category":[{"coding":[{"system":"` + obsCategory + `","code":"` + code + `"}]}]`
	}
	about := `,"subject":{"reference":"Patient/rosa"},"code":{"coding":[{"system":"http://loinc.org","code":"1"}],"text":"`
	psy := strings.Replace(labelHIV, `"HIV"`, `"PSYTHPN"`, 1)
	records := slices.DeleteFunc(resources(t), func(r sandbox.Resource) bool { return r.ID == "hidden-doc" || r.ID == "orphan" })
	return newWorldOf(t, append(records,
		add("Observation", "own", labelN+`,"status":"final"`+category("laboratory")+about+`CANARY-CONSENT"}`),
		add("Observation", "limit", labelN+`,"status":"final"`+category("vital-signs")+about+`CANARY-LIMIT CANARY-CONSENT"}`),
		add("Condition", "type", labelN+about+`CANARY-TYPE CANARY-CONSENT"}`),
		add("Observation", "psy", psy+`,"status":"final"`+category("laboratory")+about+`CANARY-PSY"}`),
		add("Group", "circle", `,"type":"person","actual":true,"member":[{"entity":{"reference":"Patient/rosa"}}]`),
	))
}

// leaked lists what left of what must not.
func (w *world) leaked(keep []secret) []secret {
	w.t.Helper()
	paths := slices.Clone(attempts)
	for _, id := range []string{"Observation/ines-lab", "Observation/own", "Observation/limit", "Observation/hiv", "Observation/psy", "Condition/type", "Condition/hiv-condition", "Patient/ines"} {
		paths = append(paths, "/"+id, "/"+id+"/_history", "/"+id+"/_history/1")
	}
	var all strings.Builder
	for _, path := range paths {
		all.WriteString(w.get("asker", path).raw)
	}
	all.WriteString(w.do("asker", "POST", "/", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Observation/ines-lab"}},{"request":{"method":"GET","url":"Condition/type"}}]}`).raw)
	return slices.DeleteFunc(slices.Clone(keep), func(s secret) bool { return !strings.Contains(all.String(), s.canary) })
}

// With any one layer away a record stays where it is, or the exception stands in
// the threat model. With all of them nothing leaves.
func TestLayers(t *testing.T) {
	table := "| without | " + "what leaves, and to whom |\n|---|---|\n"
	for _, l := range layers {
		var cells []string
		for _, s := range secrets {
			var who []string
			for _, a := range askers {
				if !slices.Contains(a.keep, s) {
					continue
				}
				w := layerWorld(t)
				a.set(w)
				restore := l.off()
				out := w.leaked([]secret{s})
				restore()
				if len(out) > 0 {
					who = append(who, a.name)
				}
			}
			if who != nil {
				cells = append(cells, s.name+": "+strings.Join(who, ", "))
			}
		}
		if l.name == "none" && cells != nil {
			t.Fatalf("with every layer in place: %v", cells)
		}
		if cells == nil {
			cells = []string{"nothing"}
		}
		table += "| " + l.name + " | " + strings.Join(cells, "; ") + " |\n"
	}
	const path, begin, end = "../../docs/threat-model.md", "<!-- layers: begin -->\n", "<!-- layers: end -->"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(raw), begin)
	have, tail, ok := strings.Cut(rest, end)
	switch {
	case !ok:
		t.Fatalf("%s has no table of layers", path)
	case have == table:
	case os.Getenv("MANDATE_UPDATE") != "":
		if err := os.WriteFile(path, []byte(head+begin+table+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s does not say what is so:\n%s", path, table)
	}
}
