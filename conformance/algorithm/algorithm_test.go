package algorithm

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/testrun"
)

var (
	seed   = flag.Uint64("algorithm.seed", 1, "first seed of the worlds")
	worlds = flag.Uint64("algorithm.worlds", 1000, "how many worlds")
	built  = flag.String("algorithm.program", "", "program to ask; it is built when none is named")
)

// mandate answers vectors under Consents by the built program.
type mandate struct{ path string }

type answer struct {
	ID          string   `json:"id"`
	Expect      string   `json:"expect"`
	Reason      string   `json:"reason"`
	ValidUntil  string   `json:"valid_until"`
	Obligations []string `json:"obligations"`
}

func (m mandate) ask(t *testing.T, consents, vectors []map[string]any) []answer {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	var entries []map[string]any
	for _, c := range consents {
		entries = append(entries, map[string]any{"resource": c})
	}
	bundle := write("bundle.json", map[string]any{"resourceType": "Bundle", "type": "collection", "entry": entries})
	cmd := exec.CommandContext(t.Context(), m.path, "consent", "eval", "--bundle", bundle, "--vectors", write("vectors.json", vectors))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var all []answer
	dec := json.NewDecoder(bytes.NewReader(out))
	for dec.More() {
		var a answer
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	if len(all) != len(vectors) {
		t.Fatalf("%d answers to %d questions", len(all), len(vectors))
	}
	return all
}

// plain gives Consents as a reader of JSON sees them.
func plain(t *testing.T, consents []map[string]any) (out []map[string]any) {
	t.Helper()
	raw, err := json.Marshal(consents)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func contains[T comparable](all []T, one T) bool { return slices.Contains(all, one) }

// TestProgramDecidesByTheRows asks the built program and the rows the same, over
// worlds at random: EV-01 to EV-11, EV-13, EV-14, EV-15. The Consents of all worlds
// are in one bundle, in another order than they were drawn.
// CPA TF-01, TF-02.
func TestProgramDecidesByTheRows(t *testing.T) {
	program := mandate{*built}
	if program.path == "" {
		path, err := testrun.Build(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		program.path = path
	}
	parents, err := ReadParents()
	if err != nil {
		t.Fatal(err)
	}
	byPatient := map[string][]map[string]any{}
	var consents, vectors []map[string]any
	var asked []Asked
	for n := range *worlds {
		w := Draw(*seed + n)
		byPatient[w.Patient] = plain(t, w.Consents)
		consents = append(consents, w.Consents...)
		for i, q := range w.Asked {
			vectors = append(vectors, q.Vector(fmt.Sprintf("%s-%d", w.Patient, i)))
			asked = append(asked, q)
		}
	}
	rng := rand.New(rand.NewPCG(2, *seed))
	rng.Shuffle(len(consents), func(i, j int) { consents[i], consents[j] = consents[j], consents[i] })

	permits, reasons := 0, map[string]int{}
	var later []Asked
	var laterVectors []map[string]any
	for i, a := range program.ask(t, consents, vectors) {
		q := asked[i]
		want := parents.Judge(byPatient[q.Patient], q)
		word := map[bool]string{true: "PERMIT", false: "DENY"}[want.Permit]
		if a.Expect != word || !contains(want.Reasons, a.Reason) || want.Part2 != contains(a.Obligations, "part2-notice") {
			raw, _ := json.Marshal(map[string]any{"consents": byPatient[q.Patient], "vector": vectors[i]})
			t.Fatalf("%s: the program says %s %s %v, the rows %s %v\n%s", a.ID, a.Expect, a.Reason, a.Obligations, word, want.Reasons, raw)
		}
		if !want.Permit {
			reasons[a.Reason[:min(len(a.Reason), 8)]]++
			continue
		}
		permits++
		if l, holds := parents.stays(t, byPatient[q.Patient], q, a.ValidUntil); !holds {
			raw, _ := json.Marshal(map[string]any{"consents": byPatient[q.Patient], "vector": vectors[i]})
			t.Fatalf("%s: valid until %q, but not at %v\n%s", a.ID, a.ValidUntil, l, raw)
		}
		later = append(later, q)
		laterVectors = append(laterVectors, vectors[i])
	}
	t.Logf("%d questions, %d permits, denials %v", len(asked), permits, reasons)
	if len(asked) > 1000 && (permits*20 < len(asked) || len(reasons) < 5) {
		t.Errorf("too few permits, or too few reasons, to prove anything: %d, %v", permits, reasons)
	}
	monotone(t, program, consents, later, laterVectors)
}

// stays is EV-14: a permit holds until the instant that it names. Asked again at
// whatever instants the Consents know and a second after each. The instant itself
// may be the last of a grant or the first of a prohibition.
func (p Parents) stays(t *testing.T, consents []map[string]any, q Asked, validUntil string) (at time.Time, holds bool) {
	t.Helper()
	until := q.At.AddDate(5, 0, 0)
	if validUntil != "" {
		var err error
		if until, err = time.Parse(time.RFC3339Nano, validUntil); err != nil || until.Before(q.At) {
			t.Fatalf("valid until %q, asked at %v", validUntil, q.At)
		}
	}
	for _, m := range consents {
		a, _ := readConsent(m)
		for _, r := range append([]rule{a.root}, a.root.nested...) {
			for _, edge := range []time.Time{r.from, r.to, r.to.Add(time.Second)} {
				if !edge.After(q.At) || !edge.Before(until) {
					continue
				}
				l := q
				if l.At = edge; !p.Judge(consents, l).Permit {
					return edge, false
				}
			}
		}
	}
	return until, true
}

// monotone: one grant more for everybody takes nothing away, and one prohibition
// for everybody leaves nobody in, whoever had what.
func monotone(t *testing.T, program mandate, consents []map[string]any, asked []Asked, vectors []map[string]any) {
	t.Helper()
	more := slices.Clone(consents)
	stop := slices.Clone(consents)
	seen := map[string]bool{}
	d := drawer{rand.New(rand.NewPCG(2, *seed))}
	for _, q := range asked {
		if seen[q.Patient] {
			continue
		}
		seen[q.Patient] = true
		grant := d.consent(q.Patient, q.Patient+"-more")
		grant["policyRule"] = concept(actCode, "OPTIN")
		block := d.consent(q.Patient, q.Patient+"-stop")
		block["policyRule"], block["status"] = concept(actCode, "OPTOUT"), "active"
		block["patient"] = map[string]any{"reference": "Patient/" + q.Patient}
		block["provision"] = map[string]any{"type": "deny"}
		more, stop = append(more, grant), append(stop, block)
	}
	for i, a := range program.ask(t, more, vectors) {
		if a.Expect != "PERMIT" {
			t.Errorf("%v: a grant more took away: %s", vectors[i]["id"], a.Reason)
		}
	}
	for i, a := range program.ask(t, stop, vectors) {
		if a.Expect != "DENY" {
			t.Errorf("%v: let in past a prohibition: %s", vectors[i]["id"], a.Reason)
		}
	}
}
