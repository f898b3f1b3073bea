package upstream_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/internal/errs"
)

// hand is a clock that the test moves.
type hand struct{ now time.Time }

func (h *hand) Now() time.Time { return h.now }

// A patient's name is asked for once in ten seconds, whatever the clock does; a
// failure is not remembered.
func TestAPatientIsAskedForOnce(t *testing.T) {
	asked, down := 0, false
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if down {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, `{"resourceType":"Patient","id":"rosa","name":[{"text":"Rosa %d"}]}`, asked)
	}))
	defer s.Close()
	c := &hand{time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	r := upstream.NewRecent(client(t, s.URL), c)
	name := func(want string) {
		t.Helper()
		if d, err := r.Patient(t.Context(), "rosa"); err != nil || d.Name != want {
			t.Errorf("%+v %v, want %s", d, err, want)
		}
	}
	name("Rosa 1")
	c.now = c.now.Add(9 * time.Second)
	name("Rosa 1")
	c.now = c.now.Add(time.Second)
	name("Rosa 2")
	c.now = c.now.Add(-time.Hour)
	name("Rosa 3")
	down = true
	c.now = c.now.Add(time.Minute)
	if _, err := r.Patient(t.Context(), "rosa"); !errs.Is(err, errs.Upstream) {
		t.Error(err)
	}
	down = false
	name("Rosa 5")
	if _, err := r.Patient(t.Context(), "noah"); !errs.Is(err, errs.Upstream) {
		t.Errorf("another's answer was taken: %v", err)
	}
}

// Who was told a patient's name counts the same resource, without asking for it
// again; another search, a long resource and one of another moment are asked for.
func TestAPatientIsCountedFromWhatWasRead(t *testing.T) {
	asked, more := 0, ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		patient := `{"resourceType":"Patient","id":"rosa","name":[{"text":"Rosa"}]` + more + `}`
		if r.URL.Path[len(r.URL.Path)-4:] != "rosa" {
			patient = `{"resourceType":"Bundle","type":"searchset","entry":[{"resource":` + patient + `,"search":{"mode":"match"}}]}`
		}
		fmt.Fprint(w, patient)
	}))
	defer s.Close()
	c := &hand{time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	r := upstream.NewRecent(client(t, s.URL), c)
	search := func(params url.Values, want int) {
		t.Helper()
		found := 0
		err := r.Search(t.Context(), "Patient", params, func(raw []byte) error {
			found++
			return nil
		})
		if err != nil || found != 1 || asked != want {
			t.Errorf("%d found, asked %d times, want %d: %v", found, asked, want, err)
		}
	}
	rosa := url.Values{"_id": {"rosa"}, "_count": {"500"}}
	search(rosa, 1)
	if _, err := r.Patient(t.Context(), "rosa"); err != nil {
		t.Fatal(err)
	}
	search(rosa, 2)
	search(url.Values{"name": {"rosa"}}, 3)
	c.now = c.now.Add(time.Minute)
	search(rosa, 4)
	more = `,"photo":[{"data":"` + strings.Repeat("A", 20<<10) + `"}]`
	if _, err := r.Patient(t.Context(), "rosa"); err != nil {
		t.Fatal(err)
	}
	search(rosa, 6)
}
