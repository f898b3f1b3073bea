package sandbox_test

import (
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir/sandbox"
)

// bigSeed makes n resources of about 1.3 kB: for each patient some three
// hundred laboratory results.
func bigSeed(n int) []sandbox.Resource {
	out := make([]sandbox.Resource, 0, n)
	add := func(typ, id, text string) {
		out = append(out, sandbox.Resource{Type: typ, ID: id, JSON: []byte(text)})
	}
	const security = `"meta":{"profile":["http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab"],"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N","display":"normal"}]}`
	narrative := strings.Repeat("haemoglobin ", 25)
	for len(out) < n {
		patient := fmt.Sprintf("p%d", len(out)/300)
		if len(out)%300 == 0 {
			add("Patient", patient, `{"resourceType":"Patient","id":"`+patient+`","name":[{"family":"F`+patient+`"}]}`)
			continue
		}
		id := fmt.Sprintf("o%d", len(out))
		at := time.Date(2026, 1, 1, len(out), 0, 0, 0, time.UTC).Format(time.RFC3339)
		add("Observation", id, fmt.Sprintf(`{"resourceType":"Observation","id":%q,%s,"text":{"status":"generated","div":"<div>%s</div>"},"status":"final",
"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"Laboratory"}]}],
"code":{"coding":[{"system":"http://loinc.org","code":"718-%d","display":"Hemoglobin"}],"text":"Haemoglobin"},"subject":{"reference":"Patient/%s"},
"encounter":{"reference":"Encounter/e%d"},"effectiveDateTime":%q,"issued":%q,"performer":[{"reference":"Practitioner/x"},{"reference":"Organization/y"}],
"valueQuantity":{"value":%d.5,"unit":"g/dL","system":"http://unitsofmeasure.org","code":"g/dL"},
"referenceRange":[{"low":{"value":12,"unit":"g/dL"},"high":{"value":16,"unit":"g/dL"}}]}`,
			id, security, narrative, len(out)%40, patient, len(out)/20, at, at, len(out)%17))
	}
	return out
}

func start(t testing.TB, seed []sandbox.Resource) *world {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	h, err := sandbox.New(sandbox.Config{BaseURL: base, Now: func() time.Time { return now }, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{handler: h}
	w.t, _ = t.(*testing.T)
	return w
}

// The whole development server idles below 150 MB, so the records must stay
// small: at most 60 MB for 13,000 of them.
func TestManyResourcesFitInLittleMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	w := start(t, bigSeed(13_000))
	runtime.GC()
	runtime.ReadMemStats(&after)
	heap := float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
	t.Logf("%.1f MB", heap)
	if heap > 60 {
		t.Errorf("13,000 resources take %.1f MB", heap)
	}
	if a := w.get("/Observation?_summary=count").want(200); a.at("total") != 12956.0 {
		t.Errorf("total %v", a.at("total"))
	}
	if page := w.get("/Observation?_count=5000").want(200); len(page.ids()) != 1000 || page.link("next") == "" {
		t.Errorf("a page of %d", len(page.ids()))
	}
}

// Readers and writers at once, for the race detector: a transaction is seen
// whole or not at all.
func TestReadersSeeWholeTransactions(t *testing.T) {
	w := newWorld(t)
	pair := func(active bool) string {
		return bundleOf("transaction",
			fmt.Sprintf(`{"request":{"method":"PUT","url":"Patient/a"},"resource":{"resourceType":"Patient","id":"a","active":%v}}`, active),
			fmt.Sprintf(`{"request":{"method":"PUT","url":"Patient/b"},"resource":{"resourceType":"Patient","id":"b","active":%v,"link":[{"other":{"reference":"Patient/a"}}]}}`, active))
	}
	w.do("POST", "/", pair(true)).want(200)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for i := range 40 {
				w.do("POST", "/", pair(i%2 == 0))
			}
		})
		wait.Go(func() {
			for range 40 {
				a := w.get("/Patient?_id=a,b&_revinclude=Patient:link")
				if len(a.ids()) != 2 || a.at("entry", 0, "resource", "active") != a.at("entry", 1, "resource", "active") {
					t.Errorf("half a transaction: %s", a.raw)
				}
				w.get("/Patient/a/_history?_count=2")
				w.get("/Patient/b/Patient?active=true")
			}
		})
	}
	wait.Wait()
}

func BenchmarkLoad(b *testing.B) {
	seed := bigSeed(13_000)
	size := 0
	for _, r := range seed {
		size += len(r.JSON)
	}
	b.ReportMetric(float64(size)/float64(len(seed)), "B/resource")
	for b.Loop() {
		start(b, seed)
	}
}

func BenchmarkSearchPage(b *testing.B) {
	w := start(b, bigSeed(13_000))
	r := httptest.NewRequest("GET", base+"/Observation?patient=p7&category=laboratory&_sort=-date&_count=50", nil)
	for b.Loop() {
		w.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func BenchmarkCountEverywhere(b *testing.B) {
	w := start(b, bigSeed(13_000))
	r := httptest.NewRequest("GET", base+"/Observation?code=718-3&_summary=count", nil)
	for b.Loop() {
		w.handler.ServeHTTP(httptest.NewRecorder(), r)
	}
}
