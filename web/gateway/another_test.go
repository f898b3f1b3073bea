package gateway_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/fhir/upstream"
)

// other is a FHIR server with habits of its own: it pages by ?_getpages=, gives
// relative links or such under another name, does not say what is a match, counts
// in its own way, puts an outcome among the entries, and calls records by absolute
// addresses.
type other struct {
	*httptest.Server
	// link is how it writes the link to the next page.
	link string
	// lacks are types that it does not have, refused the status for them.
	lacks   string
	refused int
}

func (o *other) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	path := strings.TrimPrefix(r.URL.Path, "/baseR4")
	switch {
	case o.lacks != "" && strings.HasPrefix(path, "/"+o.lacks):
		w.WriteHeader(o.refused)
		_, _ = w.Write([]byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-supported","diagnostics":"` + canary + `"}]}`))
	case r.URL.Query().Get("_getpages") != "":
		o.bundle(w, "", "o3", "ines", "o4")
	case path == "/Observation":
		o.bundle(w, o.link, "o1", "ines", "o2")
	case strings.HasPrefix(path, "/Observation/"):
		_, _ = w.Write([]byte(o.observation(strings.TrimPrefix(path, "/Observation/"))))
	default:
		_, _ = w.Write([]byte(`{"resourceType":"Bundle","type":"searchset"}`))
	}
}

func (o *other) observation(id string) string {
	who := "rosa"
	if id == "ines" {
		who = "ines"
	}
	return fmt.Sprintf(`{"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]},"status":"final","code":{"text":"%s"},"encounter":{"reference":"%s/baseR4/Encounter/e1"},"subject":{"reference":"%s/baseR4/Patient/%s"},"id":"%s","resourceType":"Observation"}`,
		map[bool]string{true: canary, false: "fine"}[who == "ines"], o.URL, o.URL, who, id)
}

// bundle writes the entries before all else, without modes.
func (o *other) bundle(w http.ResponseWriter, next string, ids ...string) {
	var entries []string
	for _, id := range ids {
		entries = append(entries, `{"fullUrl":"urn:uuid:x","resource":`+o.observation(id)+`}`)
	}
	entries = append(entries,
		`{"resource":{"resourceType":"Practitioner","id":"chen","name":[{"family":"Chen"}]}}`,
		`{"search":{"mode":"outcome"},"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"informational","diagnostics":"`+canary+`"}]}}`)
	links := `{"relation":"self","url":"` + o.URL + `/baseR4"},{"relation":"first","url":"https://elsewhere.example/x"}`
	if next != "" {
		links += `,{"relation":"next","url":"` + strings.ReplaceAll(next, "{base}", o.URL+"/baseR4") + `"}`
	}
	_, _ = w.Write([]byte(`{"entry":[` + strings.Join(entries, ",") + `],"link":[` + links + `],"total":1000,"type":"searchset","meta":{"tag":[{"code":"` + canary + `"}]},"resourceType":"Bundle"}`))
}

// Whatever the habits of the server behind, pages are full and followed, numbers are
// those of what is visible, and nothing of its own words leaves.
func TestAnotherFHIRServer(t *testing.T) {
	for name, link := range map[string]string{
		"absolute": "{base}?_getpages=a&_getpagesoffset=2&_bundletype=searchset", "relative to the base": "?_getpages=a", "with a path": "/baseR4?_getpages=a", "by type": "Observation?_getpages=a",
		"by another name": "https://fhir.public.example/r4?_getpages=a",
	} {
		t.Run(name, func(t *testing.T) {
			o := &other{link: link}
			o.Server = httptest.NewServer(o)
			t.Cleanup(o.Close)
			w := newWorld(t)
			var err error
			if w.deps.Upstream, err = upstream.New(upstream.Config{Base: o.URL + "/baseR4/", Aliases: []string{"https://fhir.public.example/r4"}}); err != nil {
				t.Fatal(err)
			}
			w.rebuild()
			w.up = o.Server
			w.token("rosa", "patient/Observation.rs patient/Practitioner.rs", self("rosa"))
			r := w.get("rosa", "/Observation?_count=10").want(200)
			if !slices.Equal(r.ids(), []string{"Observation/o1", "Observation/o2", "Observation/o3", "Observation/o4"}) || r.body["total"] != 4.0 || strings.Contains(r.raw, canary) || strings.Contains(r.raw, "elsewhere") {
				t.Errorf("%v %s", r.ids(), r.raw)
			}
			if r := w.get("rosa", "/Observation?_summary=count").want(200); r.body["total"] != 4.0 {
				t.Error(r.raw)
			}
			first := w.get("rosa", "/Observation?_count=3").want(200)
			second := w.get("rosa", first.link("next")).want(200)
			if len(first.ids()) != 3 || !slices.Equal(second.ids(), []string{"Observation/o4"}) {
				t.Error(first.ids(), second.ids())
			}
			if r := w.get("rosa", "/Observation/o1").want(200); !strings.Contains(r.raw, `"reference":"Patient/rosa"`) {
				t.Error(r.raw)
			}
			w.get("rosa", "/Observation/ines").want(404)
		})
	}
}

// A server that does not have a type says so in one of several ways; references to
// what it cannot have stay.
func TestAServerWithoutAType(t *testing.T) {
	for _, status := range []int{404, 405, 501} {
		o := &other{lacks: "Encounter", refused: status}
		o.Server = httptest.NewServer(o)
		t.Cleanup(o.Close)
		w := newWorld(t)
		var err error
		if w.deps.Upstream, err = upstream.New(upstream.Config{Base: o.URL + "/baseR4"}); err != nil {
			t.Fatal(err)
		}
		w.rebuild()
		w.up = o.Server
		w.token("rosa", "patient/*.rs", self("rosa"))
		r := w.get("rosa", "/Observation/o1")
		if status == 501 {
			// It is an error of the server like any other, and nothing is guessed.
			r.want(502)
			continue
		}
		if !strings.Contains(r.want(200).raw, "Encounter/e1") {
			t.Errorf("%d: %s", status, r.raw)
		}
	}
}
