package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/web/gateway"
)

// plenty is an upstream that answers everything with one bundle of so many
// entries, and the gateway's world before it, over TCP on both sides.
type plenty struct {
	*world
	front *httptest.Server
	// entry gives the JSON of one entry.
	entry func(i int) string
	count int
	// during runs before each entry is written.
	during func(i int)
}

func newPlenty(t *testing.T, count int, entry func(i int) string) *plenty {
	t.Helper()
	p := &plenty{world: newWorld(t), entry: entry, count: count, during: func(int) {}}
	back := httptest.NewServer(p)
	t.Cleanup(back.Close)
	client, err := upstream.New(upstream.Config{Base: back.URL})
	if err != nil {
		t.Fatal(err)
	}
	p.deps.Upstream = client
	p.rebuild()
	p.front = httptest.NewServer(p.handler)
	t.Cleanup(p.front.Close)
	return p
}

func (p *plenty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if ids := r.URL.Query().Get("_id"); ids != "" {
		var found []string
		for id := range strings.SplitSeq(ids, ",") {
			if i, err := strconv.Atoi(id[1:]); err == nil {
				found = append(found, p.entry(i))
			}
		}
		_, _ = io.WriteString(w, `{"resourceType":"Bundle","type":"searchset","entry":[`+strings.Join(found, ",")+`]}`)
		return
	}
	to := bufio.NewWriter(w)
	_, _ = to.WriteString(`{"resourceType":"Bundle","type":"searchset","entry":[`)
	for i := range p.count {
		p.during(i)
		if i > 0 {
			_ = to.WriteByte(',')
		}
		if _, err := to.WriteString(p.entry(i)); err != nil {
			return
		}
	}
	_, _ = to.WriteString(`]}`)
	_ = to.Flush()
}

// ask opens an answer.
func (p *plenty) ask(token, path string) *http.Response {
	p.t.Helper()
	r, err := http.NewRequest("GET", p.front.URL+"/fhir"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// large is an observation of some hundred kilobytes.
func large(i int) string {
	return `{"resource":` + observation(fmt.Sprintf("o%d", i), "rosa", "laboratory", labelN+`,"note":[{"text":"`+strings.Repeat("x", 100<<10)+`"}]`) + `}`
}

// small is one of a kilobyte; every tenth is of somebody else, every hundredth a
// Provenance or a Practitioner.
func small(i int) string {
	pad := labelN + `,"note":[{"text":"` + strings.Repeat("x", 700) + `"}]`
	switch {
	case i%100 == 11:
		return fmt.Sprintf(`{"resource":{"resourceType":"Provenance","id":"p%d","target":[{"reference":"Observation/o%d"}],"recorded":"2026-10-01T09:31:00Z","agent":[{"who":{"reference":"Practitioner/d%d"}}]}}`, i, i-1, i+1)
	case i%100 == 12:
		return fmt.Sprintf(`{"resource":{"resourceType":"Practitioner","id":"d%d","name":[{"family":"Chen"}]}}`, i)
	case i%100 == 13:
		return fmt.Sprintf(`{"resource":{"resourceType":"Practitioner","id":"d%d","name":[{"family":%q}]}}`, i, canary)
	case i%10 == 3:
		return `{"resource":` + observation(fmt.Sprintf("o%d", i), "ines", "laboratory", `,"performer":[{"display":"`+canary+`"}]`) + `}`
	}
	return `{"resource":` + observation(fmt.Sprintf("o%d", i), "rosa", "laboratory", pad) + `}`
}

// forgetful is a log that holds nothing, where memory is measured.
type forgetful struct{}

func (forgetful) Record(context.Context, audit.Event) error { return nil }

// A bundle of 50 MB goes through while at most 16 MB of them are kept, whatever is asked.
func TestALargeBundleDoesNotSitInMemory(t *testing.T) {
	for path, c := range map[string]struct {
		count int
		entry func(int) string
	}{
		"/Observation?_count=500":             {500, large},
		"/Observation?_count=500&_include=*":  {500, large},
		"/Patient/rosa/$everything":           {50_000, small},
		"/Patient/rosa/$everything?_count=90": {50_000, small},
		"/Observation?_summary=count":         {500, large},
	} {
		t.Run(path, func(t *testing.T) {
			p := newPlenty(t, c.count, c.entry)
			p.token("rosa", "patient/*.rs", self("rosa"))
			p.deps.Recorder = forgetful{}
			p.front.Config.Handler = gateway.New(p.deps)
			alive := func() int64 {
				var m runtime.MemStats
				// Twice, for what pools keep through the first.
				runtime.GC()
				runtime.GC()
				runtime.ReadMemStats(&m)
				return int64(m.HeapAlloc)
			}
			before, most := alive(), int64(0)
			p.during = func(i int) {
				if i%(c.count/10) == c.count/10-1 {
					most = max(most, alive()-before)
				}
			}
			res := p.ask("rosa", path)
			size, err := io.Copy(io.Discard, res.Body)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatal(res.Status, err)
			}
			if most > 16<<20 {
				t.Errorf("%d MB are kept", most>>20)
			}
			t.Logf("%d bytes left, %d kB were kept", size, most>>10)
		})
	}
}

// The client has the beginning before the upstream is at the end.
func TestTheFirstByteDoesNotWaitForTheLast(t *testing.T) {
	p := newPlenty(t, 100, large)
	p.token("rosa", "patient/Observation.rs", self("rosa"))
	arrived := make(chan struct{})
	p.during = func(i int) {
		if i == 90 {
			<-arrived
		}
	}
	res := p.ask("rosa", "/Observation?_count=500")
	first := make([]byte, 100)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		t.Fatal(err)
	}
	close(arrived)
	rest, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Total int
		Entry []any
	}
	if err := json.Unmarshal(append(first, rest...), &b); err != nil || b.Total != 100 || len(b.Entry) != 100 {
		t.Error(err, b.Total, len(b.Entry))
	}
	delivered := 0
	for _, e := range p.log.events {
		delivered += e.Count
	}
	if delivered != 100 {
		t.Errorf("%d resources left and %d are recorded", 100, delivered)
	}
}

// GW-26: what backs the token is asked again for each batch. Once a part has
// left, the answer breaks off: it never passes for complete, and the events say
// what left.
func TestALateDenialBreaksTheAnswerOff(t *testing.T) {
	for name, end := range map[string]func(*plenty){
		"token":    func(p *plenty) { delete(p.verifier, "elena") },
		"relation": func(p *plenty) { p.loader.relations = nil },
		"consents": func(p *plenty) { p.consents(example(p.t, "e1.json"), example(p.t, "e1.json")) },
		"log":      func(p *plenty) { p.log.down = true },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlenty(t, 100, func(i int) string {
				return fmt.Sprintf(`{"resource":{"resourceType":"MedicationRequest","id":"m%d"%s,"status":"active","intent":"order","medicationCodeableConcept":{"text":"%s"},"subject":{"reference":"Patient/rosa"}}}`, i, labelN, strings.Repeat("x", 100<<10))
			})
			p.asDaughter("patient/MedicationRequest.rs")
			arrived := make(chan struct{})
			p.during = func(i int) {
				if i == 50 {
					<-arrived
					end(p)
				}
			}
			res := p.ask("elena", "/MedicationRequest?_count=500")
			if _, err := io.ReadFull(res.Body, make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			close(arrived)
			rest, err := io.ReadAll(res.Body)
			if err == nil {
				t.Errorf("the answer passes for complete: ...%s", rest[max(0, len(rest)-100):])
			}
			if last := p.log.last(); name != "log" && last.Outcome == audit.Success {
				t.Errorf("the last event is %+v", last)
			}
		})
	}
}

// Before anything has left, a changed consent only costs another look.
func TestAnEarlyChangeIsJudgedAnew(t *testing.T) {
	p := newPlenty(t, 100, large)
	p.token("rosa", "patient/Observation.rs", self("rosa"))
	p.during = func(i int) {
		if i == 2 {
			delete(p.verifier, "rosa")
		}
	}
	if res := p.ask("rosa", "/Observation?_count=500"); res.StatusCode != http.StatusUnauthorized {
		t.Error(res.Status)
	}
}

// An upstream that breaks off in the middle makes the answer break off too.
func TestABrokenUpstreamBreaksTheAnswerOff(t *testing.T) {
	p := newPlenty(t, 100, large)
	p.token("rosa", "patient/Observation.rs", self("rosa"))
	p.during = func(i int) {
		if i == 90 {
			p.entry = func(int) string { return "" }
		}
	}
	res := p.ask("rosa", "/Observation?_count=500")
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("the answer passes for complete")
	}
}
