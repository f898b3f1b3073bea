package sandbox_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// model is the simplest FHIR server: Observations by id, with the number of
// versions that each has had.
type model struct {
	live     map[string]observation
	versions map[string]int
}

type observation struct{ patient, status string }

func (o observation) json(id string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,"status":%q,"subject":{"reference":"Patient/%s"}}`, id, o.status, o.patient)
}

func (m *model) clone() *model {
	c := &model{make(map[string]observation), make(map[string]int)}
	for id, o := range m.live {
		c.live[id] = o
	}
	for id, n := range m.versions {
		c.versions[id] = n
	}
	return c
}

func (m *model) put(id string, o observation) {
	m.live[id] = o
	m.versions[id]++
}

func (m *model) remove(id string) {
	if _, ok := m.live[id]; ok {
		delete(m.live, id)
		m.versions[id]++
	}
}

// find gives the ids that a condition keeps, sorted.
func (m *model) find(keep func(observation) bool) []string {
	out := []string{}
	for id, o := range m.live {
		if keep(o) {
			out = append(out, "Observation/"+id)
		}
	}
	slices.Sort(out)
	return out
}

// check compares everything that the server shows with the model.
func (m *model) check(rt *rapid.T, w *world) {
	for _, value := range []string{"a", "b"} {
		for search, keep := range map[string]func(observation) bool{
			"patient=" + value:             func(o observation) bool { return o.patient == value },
			"subject=Patient/" + value:     func(o observation) bool { return o.patient == value },
			"status=" + value:              func(o observation) bool { return o.status == value },
			"status:not=" + value:          func(o observation) bool { return o.status != value },
			"status=b&patient=" + value:    func(o observation) bool { return o.status == "b" && o.patient == value },
			"subject:missing=true":         func(observation) bool { return false },
			"_id=0,1,2&patient=a,b,nobody": func(observation) bool { return true },
		} {
			got := w.get("/Observation?" + search).ids()
			slices.Sort(got)
			if want := m.find(keep); !slices.Equal(got, want) {
				rt.Fatalf("%s: got %v, want %v", search, got, want)
			}
		}
	}
	total := 0
	for id, versions := range m.versions {
		total += versions
		a := w.get("/Observation/" + id)
		o, live := m.live[id]
		switch {
		case !live && a.status != 410:
			rt.Fatalf("%s: status %d after its deletion", id, a.status)
		case live && (a.text("status") != o.status || a.text("meta", "versionId") != strconv.Itoa(versions)):
			rt.Fatalf("%s: got %s, want version %d of %v", id, a.raw, versions, o)
		}
	}
	if got := w.get("/Observation/_history").at("total"); got != float64(total) {
		rt.Fatalf("a history of %v, want %d", got, total)
	}
}

// However writes, deletions, transactions that succeed and transactions that
// fail follow one another, searches, reads and histories agree with them.
func TestServerAgreesWithAModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := start(t, nil)
		m := (&model{}).clone()
		id := func() string { return rapid.SampledFrom([]string{"0", "1", "2"}).Draw(rt, "id") }
		letter := func(name string) string { return rapid.SampledFrom([]string{"a", "b"}).Draw(rt, name) }
		some := func() observation { return observation{letter("patient"), letter("status")} }
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(*rapid.T) {
				id, o := id(), some()
				w.do("PUT", "/Observation/"+id, o.json(id))
				m.put(id, o)
			},
			"patch": func(*rapid.T) {
				id, status := id(), letter("status")
				a := w.do("PATCH", "/Observation/"+id, `[{"op":"replace","path":"/status","value":"`+status+`"}]`, "Content-Type: application/json-patch+json")
				if o, ok := m.live[id]; ok != (a.status == 200) {
					rt.Fatalf("patch: %d", a.status)
				} else if ok {
					m.put(id, observation{o.patient, status})
				}
			},
			"delete": func(*rapid.T) {
				id := id()
				w.do("DELETE", "/Observation/"+id, "")
				m.remove(id)
			},
			"transaction": func(*rapid.T) {
				gone, put, o := id(), id(), some()
				fails := gone == put || rapid.Bool().Draw(rt, "fails")
				entries := []string{
					`{"request":{"method":"PUT","url":"Observation/` + put + `"},"resource":` + o.json(put) + `}`,
					`{"request":{"method":"DELETE","url":"Observation/` + gone + `"}}`,
				}
				if fails {
					entries = append(entries, `{"request":{"method":"GET","url":"Patient/nobody"}}`)
				}
				after := m.clone()
				after.remove(gone)
				after.put(put, o)
				a := w.do("POST", "/", bundleOf("transaction", entries...))
				if fails == (a.status == 200) {
					rt.Fatalf("transaction: %d %s", a.status, a.raw)
				}
				if !fails {
					m = after
				}
			},
			"": func(rt *rapid.T) { m.check(rt, w) },
		})
	})
}
