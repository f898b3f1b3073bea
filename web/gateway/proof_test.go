package gateway_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/label"
	"github.com/mandate-health/mandate/conformance/proof"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/sandbox"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/proxy"
	"github.com/mandate-health/mandate/web/gateway"
)

var (
	proofSeed  = flag.Uint64("proof.seed", 1, "seed of the cases of TestProof")
	proofCases = flag.Int("proof.cases", 10000, "how many cases TestProof draws")
	proofFrom  = flag.Int("proof.from", 1, "the case from whose world on TestProof asks")
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
	for cases < max(*proofCases, *proofFrom) {
		records := g.World()
		// The worlds before are drawn, not asked.
		asks := cases+grantsPerWorld*requestsPerGrant >= *proofFrom
		w := proofWorld(t, records)
		for range grantsPerWorld {
			grant := g.Grant()
			w.grants(grant)
			for range requestsPerGrant {
				q := g.Request(records)
				if cases++; !asks {
					continue
				}
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
	t.Logf("seed %d: %d cases, asked from the world of case %d on, %d leaks, %d wrong denials", *proofSeed, cases, *proofFrom, leaks, denials)
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
			if grant.Kind == proof.System && puts(q) {
				// Only a service creates under an id of its own, and cannot where one is.
				continue
			}
			compared++
			a, b := trace(with.settled(records, q)), trace(without.settled(records, q))
			if a != b {
				t.Fatalf("%s tells whether %s is there:\n%s\n%s\n%s", q, gone.Ref(), a, b, explain(records, grant, q, proof.Finding{Ref: gone.Ref()}))
			}
		}
		with.up.Close()
		without.up.Close()
	}
	t.Logf("seed %d: %d pairs of answers are equal", *proofSeed, compared)
}

func puts(q proof.Request) bool { return q.Method == "PUT" || slices.ContainsFunc(q.Batch, puts) }

// settled asks, and puts back what was changed.
func (w *world) settled(records *proof.World, q proof.Request) reply {
	if !q.Writes() {
		return w.ask(q)
	}
	before := w.state()
	r := w.ask(q)
	w.restore(records, before, w.state())
	return r
}

// drawn are what an answer has anew each time: the ids of bundles and of what is
// created, the handles in
// links, and the moments at which the sandbox took its records over.
var drawn = regexp.MustCompile(`[0-9a-f]{32}|"(lastUpdated|lastModified|timestamp)":"[^"]*"|"url":"[^"]*_page=[^"]*"`)

// trace is all of an answer but what is drawn anew.
func trace(r reply) string {
	head := r.header.Clone()
	head.Del("Date")
	head.Del("Last-Modified")
	return drawn.ReplaceAllString(fmt.Sprint(r.status, head, r.raw), "")
}

// mutant names what the gateway does without; "" for nothing.
var mutant string

// once believes for ever what it found when a token was presented.
type once struct {
	verifier
	first map[string]gateway.Bearer
}

func (o *once) Presented(ctx context.Context, tenant string, p oauth.Presentation) (gateway.Bearer, string, error) {
	b, nonce, err := o.verifier.Presented(ctx, tenant, p)
	o.first[p.Token] = b
	return b, nonce, err
}

func (o *once) VerifyAccessToken(_ context.Context, _, raw string) (gateway.Bearer, error) {
	return o.first[raw], nil
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
	w.torn = true
	if file := records.LabelFile(); file != nil && mutant != "value sets" {
		sets, err := label.Load(label.File{Name: "proof", Text: file})
		if err != nil {
			t.Fatal(err)
		}
		w.deps.Authority.Labelling = sets
	}
	modes, err := access.ParseModes(records.Modes)
	if err != nil {
		t.Fatal(err)
	}
	if mutant != "modes" {
		w.deps.Modes = modes
	}
	if mutant == "token asked again" {
		w.deps.Verifier = &once{verifier: w.verifier, first: map[string]gateway.Bearer{}}
	}
	w.rebuild()
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
	case q.Follow > 0:
		body, status, faults := w.follow(q)
		return append(faults, proof.Check(records, g, e, status, body)...)
	case strings.Contains(q.Path, "$export"):
		body, status := w.exportAll(q)
		return proof.Check(records, g, e, status, body)
	case q.Meanwhile != "":
		r, happened := w.interrupted(q)
		w.grants(g)
		if happened {
			e = proof.Late(records, g, q)
		}
		return proof.Check(records, g, e, r.status, []byte(r.raw))
	case !q.Writes():
		r := w.ask(q)
		return proof.Check(records, g, e, r.status, []byte(r.raw))
	}
	before := w.state()
	r := w.ask(q)
	after := w.state()
	w.restore(records, before, after)
	return append(proof.CheckStored(records, e, r.status, before, after), proof.Check(records, g, e, r.status, []byte(r.raw))...)
}

// interrupted asks, and lets what the request names happen as soon as the FHIR
// server is asked; happened is false where it was not.
func (w *world) interrupted(q proof.Request) (r reply, happened bool) {
	w.t.Helper()
	w.meanwhile(func(*http.Request) {
		if happened {
			return
		}
		happened = true
		switch q.Meanwhile {
		case proof.Revoked:
			delete(w.verifier, "asker")
		case proof.Withdrawn:
			w.consentsOf(proof.Ana)
		case proof.Unrelated:
			w.loader.relations = map[string]proxy.RelatedPerson{proof.Eva: {ID: proof.Eva, Patient: proof.Ana}}
		}
	})
	defer w.meanwhile(nil)
	return w.ask(q), happened
}

// state gives what the FHIR server has of the types that are written, by "Type/id".
func (w *world) state() map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, typ := range proof.Written() {
		rec := httptest.NewRecorder()
		w.up.Config.Handler.ServeHTTP(rec, httptest.NewRequest("GET", w.up.URL+"/r4/"+typ+"?_count=500", nil))
		var b struct {
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &b); err != nil || rec.Code != http.StatusOK {
			w.t.Fatal(rec.Code, err)
		}
		for _, e := range b.Entry {
			var r struct{ ID string }
			if err := json.Unmarshal(e.Resource, &r); err != nil {
				w.t.Fatal(err)
			}
			out[typ+"/"+r.ID] = string(e.Resource)
		}
	}
	return out
}

// restore puts back what was there.
func (w *world) restore(records *proof.World, before, after map[string]string) {
	w.t.Helper()
	for ref, text := range after {
		if _, was := before[ref]; !was {
			w.upstream("DELETE", "/"+ref, "")
		} else if text != before[ref] {
			w.upstream("PUT", "/"+ref, string(records.Find(ref).JSON))
		}
	}
	for ref := range before {
		if _, is := after[ref]; !is {
			w.upstream("PUT", "/"+ref, string(records.Find(ref).JSON))
		}
	}
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
	w.t.Helper()
	media := "application/fhir+json"
	switch {
	case len(q.Batch) > 0:
		return w.do("asker", "POST", "/", bundleOf(q))
	case q.Form != "":
		return w.do("asker", q.Method, q.Path, q.Form, "Content-Type: application/x-www-form-urlencoded")
	case q.Method == "PATCH":
		media = "application/json-patch+json"
	}
	headers := []string{"Content-Type: " + media}
	if q.Body == "" {
		headers = nil
	}
	if q.IfNoneExist != "" {
		headers = append(headers, "If-None-Exist: "+q.IfNoneExist)
	}
	return w.do("asker", q.Method, q.Path, q.Body, headers...)
}

// bundleOf writes a batch or a transaction down.
func bundleOf(q proof.Request) string {
	kind := "batch"
	if q.Transaction {
		kind = "transaction"
	}
	entries := make([]string, len(q.Batch))
	for i, e := range q.Batch {
		request := fmt.Sprintf(`"method":%q,"url":%q`, e.Method, strings.TrimPrefix(e.Path, "/"))
		if e.IfNoneExist != "" {
			request += fmt.Sprintf(`,"ifNoneExist":%q`, e.IfNoneExist)
		}
		entries[i] = `{"request":{` + request + `}`
		if e.Body != "" && e.Method != "PATCH" {
			entries[i] += `,"resource":` + e.Body
		}
		entries[i] += "}"
	}
	return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
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
