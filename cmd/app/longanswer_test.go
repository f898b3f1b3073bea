package app_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// library is a FHIR server with one long search, which it answers in two halves:
// the second one only when it is let.
type library struct {
	*httptest.Server
	text   func(i int) string
	packed bool
	// rest lets the second half go.
	rest chan struct{}
}

const libraryEntries = 60

func newLibrary(t *testing.T) *library {
	l := &library{}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

func (l *library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/fhir+json")
	const normal = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]}`
	if r.URL.Path == "/fhir/Observation" && l.text == nil {
		_, _ = io.WriteString(w, `{"resourceType":"Bundle","type":"searchset"}`)
		return
	}
	if r.URL.Path != "/fhir/Observation" {
		_, _ = io.WriteString(w, `{"resourceType":"Patient","id":"rosa",`+normal+`}`)
		return
	}
	var to io.Writer = w
	end := func() error { return http.NewResponseController(w).Flush() }
	if l.packed && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		flush := end
		to, end = z, func() error { return firstOf(z.Flush(), flush()) }
		defer func() { _ = z.Close() }()
	}
	_, _ = io.WriteString(to, `{"resourceType":"Bundle","type":"searchset","entry":[`)
	for i := range libraryEntries {
		if i == libraryEntries/2 {
			_ = end()
			select {
			case <-l.rest:
			case <-r.Context().Done():
				return
			}
		}
		if i > 0 {
			_, _ = io.WriteString(to, ",")
		}
		fmt.Fprintf(to, `{"resource":{"resourceType":"Observation","id":"o%d",%s,"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/rosa"},"note":[{"text":%q}]}}`, i, normal, l.text(i))
	}
	_, _ = io.WriteString(to, `]}`)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// A started server, through all that stands before the gateway, gives the first
// half of a long search before the FHIR server has ended, packed or plain on both
// sides, and the whole is the same.
func TestALongAnswerLeavesBeforeItEnds(t *testing.T) {
	l := newLibrary(t)
	s := start(t, func(c *app.Config) { c.Upstream = l.URL + "/fhir" })
	g := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/Patient.rs patient/Observation.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	words := rand.New(rand.NewPCG(1, 2))
	varied := make([]string, libraryEntries)
	for i := range varied {
		raw := make([]byte, 60<<10)
		for j := range raw {
			raw[j] = byte('a' + words.IntN(26))
		}
		varied[i] = string(raw)
	}
	for name, text := range map[string]func(int) string{
		"varied": func(i int) string { return varied[i] }, "monotonous": func(int) string { return strings.Repeat("x", 60<<10) },
	} {
		whole := ""
		for _, from := range []bool{false, true} {
			for _, encoding := range []string{"identity", "gzip"} {
				l.text, l.packed, l.rest = text, from, make(chan struct{})
				got := s.halves(t, l, g.Access(), encoding)
				if whole == "" {
					whole = got
				}
				if got != whole {
					t.Errorf("%s, from a server that packs (%v), for a client that takes %s: %d bytes are not the %d of before", name, from, encoding, len(got), len(whole))
				}
			}
		}
	}
}

// halves reads the beginning of the answer, lets the rest go, and gives all
// entries.
func (s *server) halves(t *testing.T, l *library, token, encoding string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.FHIRBase+"/Observation?_count=500", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept-Encoding", encoding)
	res, err := s.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var from io.Reader = res.Body
	if packed := res.Header.Get("Content-Encoding") == "gzip"; packed != (encoding == "gzip") {
		t.Fatalf("asked for %s, got %v", encoding, res.Header)
	} else if packed {
		if from, err = gzip.NewReader(from); err != nil {
			t.Fatal(err)
		}
	}
	first := make([]byte, 100<<10)
	if _, err := io.ReadFull(from, first); err != nil {
		t.Fatal(err)
	}
	close(l.rest)
	rest, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Total int
		Entry []json.RawMessage
	}
	all := append(first, rest...)
	if err := json.Unmarshal(all, &b); err != nil || b.Total != libraryEntries || len(b.Entry) != libraryEntries {
		t.Fatal(err, b.Total, len(b.Entry))
	}
	if bytes.Index(all, []byte(`"total"`)) < bytes.LastIndex(all, []byte(`"note"`)) {
		t.Error("the total stands before the entries")
	}
	return fmt.Sprintf("%s", b.Entry)
}
