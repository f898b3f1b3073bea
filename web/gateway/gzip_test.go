package gateway_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/mandate-health/mandate/fhir/upstream"
)

// plainly asks without the client's own unpacking.
func (p *plenty) plainly(path, encoding string) *http.Response {
	p.t.Helper()
	r, err := http.NewRequest("GET", p.front.URL+"/fhir"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer rosa")
	if encoding != "" {
		r.Header.Set("Accept-Encoding", encoding)
	}
	res, err := (&http.Transport{DisableCompression: true}).RoundTrip(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// Answers are compressed for clients that take it and for nobody else; small ones
// are not.
func TestAnswersAreCompressed(t *testing.T) {
	p := newPlenty(t, 60, large)
	p.token("rosa", "patient/Observation.rs", self("rosa"))
	for encoding, want := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "": false, "identity": false, "gzip;q=0": false, "br": false} {
		res := p.plainly("/Observation?_count=500", encoding)
		if res.Header.Get("Vary") == "" || (res.Header.Get("Content-Encoding") == "gzip") != want {
			t.Errorf("%q: %v", encoding, res.Header)
		}
		var from io.Reader = res.Body
		if want {
			z, err := gzip.NewReader(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			from = z
		}
		raw, err := io.ReadAll(from)
		var b struct{ Total int }
		if err != nil || json.Unmarshal(raw, &b) != nil || b.Total != 60 {
			t.Errorf("%q: %v, %d bytes", encoding, err, len(raw))
		}
	}
	if res := p.plainly("/Observation?_summary=count", "gzip"); res.Header.Get("Content-Encoding") != "" {
		t.Error("a small answer is compressed")
	}
}

// A compressed answer that breaks off has no end either.
func TestACompressedAnswerBreaksOff(t *testing.T) {
	p := newPlenty(t, 100, large)
	p.token("rosa", "patient/Observation.rs", self("rosa"))
	p.during = func(i int) {
		if i == 90 {
			p.entry = func(int) string { return "" }
		}
	}
	res := p.plainly("/Observation?_count=500", "gzip")
	z, err := gzip.NewReader(res.Body)
	if err == nil {
		_, err = io.ReadAll(z)
	}
	if err == nil {
		t.Error("the answer passes for complete")
	}
}

// When too many wait for the upstream, a further client hears when to come again.
func TestACrowdBeforeTheUpstream(t *testing.T) {
	w := newWorld(t)
	client, err := upstream.New(upstream.Config{Base: w.up.URL + "/r4", Requests: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.deps.Upstream = client
	w.rebuild()
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	w.get("rosa", "/Observation/lab").want(200)
	leave, err := client.Admit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/Observation/lab", "/Observation/absent"} {
		if r := w.get("rosa", path).want(503); r.header.Get("Retry-After") == "" {
			t.Error(r.header)
		}
	}
	leave()
	w.get("rosa", "/Observation/lab").want(200)
}
