package gateway_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// batchOf opens the answer to a batch of so many searches.
func (p *plenty) batchOf(token string, searches int) *http.Response {
	p.t.Helper()
	entry := `{"request":{"method":"GET","url":"Observation?_count=500"}}`
	body := `{"resourceType":"Bundle","type":"batch","entry":[` + strings.TrimSuffix(strings.Repeat(entry+",", searches), ",") + `]}`
	r, err := http.NewRequest("POST", p.front.URL+"/fhir", strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/fhir+json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// A batch of 20 MB leaves entry by entry: its beginning is there while the upstream
// is asked for the end, and nothing is missing.
func TestABatchLeavesEntryByEntry(t *testing.T) {
	p := newPlenty(t, 20, large)
	p.token("rosa", "patient/Observation.rs", self("rosa"))
	arrived, asked := make(chan struct{}), 0
	p.during = func(i int) {
		if i == 0 {
			if asked++; asked == 9 {
				<-arrived
			}
		}
	}
	res := p.batchOf("rosa", 10)
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
		Type  string
		Entry []struct {
			Resource struct{ Entry []any }
			Response struct{ Status string }
		}
	}
	if err := json.Unmarshal(append(first, rest...), &b); err != nil || b.Type != "batch-response" || len(b.Entry) != 10 {
		t.Fatal(err, b.Type, len(b.Entry))
	}
	for i, e := range b.Entry {
		if e.Response.Status != "200 OK" || len(e.Resource.Entry) != 20 {
			t.Errorf("entry %d: %s, %d resources", i, e.Response.Status, len(e.Resource.Entry))
		}
	}
}

// GW-26: a batch breaks off when the token ends while it leaves, and is refused when
// nothing has left.
func TestALateDenialBreaksABatchOff(t *testing.T) {
	for _, at := range []int{1, 5} {
		p := newPlenty(t, 20, large)
		p.token("rosa", "patient/Observation.rs", self("rosa"))
		arrived, asked := make(chan struct{}), 0
		p.during = func(i int) {
			if i == 0 {
				if asked++; asked == at {
					if at > 1 {
						<-arrived
					}
					delete(p.verifier, "rosa")
				}
			}
		}
		res := p.batchOf("rosa", 8)
		if at == 1 {
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("status %d", res.StatusCode)
			}
			continue
		}
		if _, err := io.ReadFull(res.Body, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		close(arrived)
		if rest, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("the answer passes for complete: ...%s", rest[max(0, len(rest)-100):])
		}
	}
}
