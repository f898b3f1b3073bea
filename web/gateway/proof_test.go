package gateway_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/proof"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/sandbox"
	"github.com/mandate-health/mandate/proxy"
)

var (
	proofSeed  = flag.Uint64("proof.seed", 1, "seed of the cases of TestProof")
	proofCases = flag.Int("proof.cases", 10000, "how many cases TestProof draws")
)

// The shape of the cases: so many grants ask about each world, and each asks so
// often.
const (
	grantsPerWorld   = 8
	requestsPerGrant = 10
	// mostShown bounds what is printed.
	mostShown = 20
)

// SMART GW-01…GW-26, TRP-01…TRP-27; A.9: an oracle that knows nothing of the
// decision point judges each answer of the gateway about records, Consents,
// grants and requests drawn at random.
func TestProof(t *testing.T) {
	g := proof.NewGenerator(*proofSeed)
	var cases, leaks, denials int
	for cases < *proofCases {
		records := g.World()
		w := proofWorld(t, records)
		for range grantsPerWorld {
			grant := g.Grant()
			w.grants(grant)
			for range requestsPerGrant {
				q := g.Request(records)
				cases++
				for _, f := range w.judge(records, grant, q) {
					if f.Leak {
						leaks++
					} else {
						denials++
					}
					if leaks+denials <= mostShown {
						t.Errorf("case %d: %s\n%s", cases, f, explain(records, grant, q, f))
					}
				}
			}
		}
		w.up.Close()
	}
	t.Logf("seed %d: %d cases, %d leaks, %d wrong denials", *proofSeed, cases, leaks, denials)
}

// differencesEach is how many requests are compared for each hidden resource.
const differencesEach = 12

// TF-21, GW-14: whoever does not reach a resource gets the same answers whether
// or not there is one, to requests for it too.
func TestHiddenIsAbsent(t *testing.T) {
	g := proof.NewGenerator(*proofSeed)
	var compared int
	for range max(1, *proofCases/(grantsPerWorld*differencesEach)) {
		records, grant := g.World(), g.Grant()
		hidden := proof.Hidden(records, grant)
		if len(hidden) == 0 {
			continue
		}
		gone := hidden[compared%len(hidden)]
		with, without := proofWorld(t, records), proofWorld(t, records.Without(gone))
		with.grants(grant)
		without.grants(grant)
		for i := range differencesEach {
			q := g.Request(records)
			if i < 3 {
				q = proof.Request{Method: "GET", Path: []string{"/" + gone.Ref(), "/" + gone.Ref() + "/_history", "/" + gone.Type + "?_id=" + gone.ID}[i]}
			}
			compared++
			a, b := trace(with.ask(q)), trace(without.ask(q))
			if a != b {
				t.Fatalf("%s tells whether %s is there:\n%s\n%s\n%s", q, gone.Ref(), a, b, explain(records, grant, q, proof.Finding{Ref: gone.Ref()}))
			}
		}
		with.up.Close()
		without.up.Close()
	}
	t.Logf("seed %d: %d pairs of answers are equal", *proofSeed, compared)
}

// drawn are what an answer has anew each time: the ids of bundles, the handles in
// links, and the moments at which the sandbox took its records over.
var drawn = regexp.MustCompile(`"id":"[0-9a-f]{32}"|"(lastUpdated|lastModified|timestamp)":"[^"]*"|"url":"[^"]*_page=[^"]*"`)

// trace is all of an answer but what is drawn anew.
func trace(r reply) string {
	head := r.header.Clone()
	head.Del("Date")
	head.Del("Last-Modified")
	return fmt.Sprint(r.status, head, drawn.ReplaceAllString(r.raw, ""))
}

// proofWorld is a gateway before the records of a generated world.
func proofWorld(t *testing.T, records *proof.World) *world {
	t.Helper()
	var seed []sandbox.Resource
	for _, r := range records.Resources {
		seed = append(seed, sandbox.Resource{Type: r.Type, ID: r.ID, JSON: r.JSON})
	}
	w := newWorldOf(t, seed)
	w.clock.Set(proof.Now)
	return w
}

// grants registers the token that stands for a generated grant.
func (w *world) grants(g *proof.Grant) {
	w.t.Helper()
	defer func() {
		if b := w.verifier["asker"]; g.Ended {
			b.Grant.Ends = proof.Now
			w.verifier["asker"] = b
		}
	}()
	switch g.Kind {
	case proof.System:
		w.system("asker", g.Scopes)
		return
	case proof.Self:
		w.token("asker", g.Scopes, self(proof.Ana), g.Topics...)
		return
	case proof.Practitioner:
		c := practitioner()
		w.token("asker", g.Scopes, c)
		b := w.verifier["asker"]
		b.Grant.Context.Patient = g.Patient
		w.verifier["asker"] = b
		return
	}
	texts := make([]string, len(g.Consents))
	for i, c := range g.Consents {
		texts[i] = string(c)
	}
	w.consentsOf(proof.Ana, texts...)
	w.loader.relations[proof.Eva] = proxy.RelatedPerson{ID: proof.Eva, Patient: proof.Ana, Active: g.Related}
	w.token("asker", g.Scopes, fhir.Capacity{
		Kind: fhir.CapacityDesignatedProxy, Acting: fhir.Reference{Type: "RelatedPerson", ID: proof.Eva}, Patient: proof.Ana, Purpose: g.Purpose, Relationship: "DAUC",
	})
}

// judge asks the gateway and the oracle.
func (w *world) judge(records *proof.World, g *proof.Grant, q proof.Request) []proof.Finding {
	w.t.Helper()
	e := proof.Expect(records, g, q)
	switch {
	case q.Body != "" || q.Method == "DELETE":
		return w.judgeWrite(records, g, q, e)
	case q.Follow > 0:
		body, status, faults := w.follow(q)
		return append(faults, proof.Check(records, g, e, status, body)...)
	case strings.Contains(q.Path, "$export"):
		body, status := w.exportAll(q)
		return proof.Check(records, g, e, status, body)
	}
	r := w.ask(q)
	return proof.Check(records, g, e, r.status, []byte(r.raw))
}

// judgeWrite lets the write be done, looks at what the FHIR server holds then,
// and puts back what was there.
func (w *world) judgeWrite(records *proof.World, g *proof.Grant, q proof.Request, e proof.Expectation) []proof.Finding {
	w.t.Helper()
	media := "application/fhir+json"
	if q.Method == "PATCH" {
		media = "application/json-patch+json"
	}
	before := ""
	if q.Method != "POST" {
		before = w.held(q.Path)
	}
	r := w.do("asker", q.Method, q.Path, q.Body, "Content-Type: "+media)
	made := q.Path
	if q.Method == "POST" {
		made = strings.TrimPrefix(r.header.Get("Location"), base)
		made, _, _ = strings.Cut(made, "/_history/")
	}
	after := ""
	if made != "" {
		after = w.held(made)
	}
	out := proof.CheckStored(g, r.status, before, after)
	if q.Method == "POST" && r.status < 300 && after == "" {
		out = append(out, proof.Finding{Text: "a permitted create left nothing"})
	}
	switch old := records.Find(strings.TrimPrefix(q.Path, "/")); {
	case before == after:
	case old != nil:
		w.upstream("PUT", q.Path, string(old.JSON))
	default:
		w.upstream("DELETE", made, "")
	}
	return append(out, proof.Check(records, g, e, r.status, []byte(r.raw))...)
}

// held gives what the FHIR server has at a path, "" for nothing.
func (w *world) held(path string) string {
	w.t.Helper()
	r := httptest.NewRequest("GET", w.up.URL+"/r4"+path, nil)
	rec := httptest.NewRecorder()
	w.up.Config.Handler.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		return ""
	}
	return rec.Body.String()
}

// mostPages bounds how far links are followed.
const mostPages = 100

// follow asks for every page.
func (w *world) follow(q proof.Request) (body []byte, status int, faults []proof.Finding) {
	w.t.Helper()
	r := w.ask(q)
	pages := [][]byte{[]byte(r.raw)}
	for next := proof.NextPage(pages[0]); next != "" && r.status == http.StatusOK && len(pages) < mostPages; next = proof.NextPage([]byte(r.raw)) {
		r = w.get("asker", strings.TrimPrefix(next, base))
		pages = append(pages, []byte(r.raw))
	}
	if r.status != http.StatusOK {
		return []byte(r.raw), r.status, nil
	}
	body, faults = proof.Join(pages, q.Follow)
	return body, r.status, faults
}

// exportAll gives the lines of all files of an export together.
func (w *world) exportAll(q proof.Request) (body []byte, status int) {
	w.t.Helper()
	r := w.get("asker", q.Path, "Prefer: respond-async")
	if r.status != http.StatusAccepted {
		return []byte(r.raw), r.status
	}
	job := strings.TrimPrefix(r.header.Get("Content-Location"), base)
	// The sandbox says once that it is not ready.
	w.get("asker", job)
	if r = w.get("asker", job); r.status != http.StatusOK {
		return []byte(r.raw), r.status
	}
	var m struct{ Output []struct{ URL string } }
	if err := json.Unmarshal([]byte(r.raw), &m); err != nil {
		w.t.Fatal(err, r.raw)
	}
	for _, f := range m.Output {
		if r = w.get("asker", strings.TrimPrefix(f.URL, base)); r.status != http.StatusOK {
			return []byte(r.raw), r.status
		}
		body = append(body, r.raw...)
	}
	return body, http.StatusOK
}

func (w *world) ask(q proof.Request) reply {
	switch {
	case len(q.Batch) > 0:
		entries := make([]string, len(q.Batch))
		for i, e := range q.Batch {
			entries[i] = fmt.Sprintf(`{"request":{"method":%q,"url":%q}}`, e.Method, strings.TrimPrefix(e.Path, "/"))
		}
		return w.do("asker", "POST", "/", `{"resourceType":"Bundle","type":"batch","entry":[`+strings.Join(entries, ",")+`]}`)
	case q.Form != "":
		return w.do("asker", q.Method, q.Path, q.Form, "Content-Type: application/x-www-form-urlencoded")
	}
	return w.get("asker", q.Path)
}

// explain prints what a person needs to look into a finding.
func explain(records *proof.World, g *proof.Grant, q proof.Request, f proof.Finding) string {
	out := q.String()
	grant, _ := json.Marshal(g)
	out += "\n" + string(grant)
	if r := records.Find(f.Ref); r != nil {
		out += "\n" + string(r.JSON)
	}
	return out
}
