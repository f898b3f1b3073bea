package app_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// hospital is a small FHIR server that can go down.
type hospital struct {
	*httptest.Server
	down  atomic.Bool
	asked atomic.Int64
	// hold runs before an answer.
	hold atomic.Pointer[func()]
}

func newHospital(t *testing.T) *hospital {
	h := openHospital()
	t.Cleanup(h.Close)
	return h
}

// openHospital gives one that nobody closes.
func openHospital() *hospital {
	h := &hospital{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.asked.Add(1)
		if hold := h.hold.Load(); hold != nil {
			(*hold)()
		}
		if h.down.Load() {
			// The connection breaks in the middle.
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
			return
		}
		w.Header().Set("Content-Type", "application/fhir+json")
		switch strings.TrimPrefix(r.URL.Path, "/fhir/") {
		case "Patient/rosa":
			_, _ = w.Write([]byte(`{"resourceType":"Patient","id":"rosa","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]},"name":[{"given":["Rosa"],"family":"Elsewhere"}]}`))
		default:
			if r.Method == http.MethodGet && strings.Count(r.URL.Path, "/") == 2 {
				_, _ = w.Write([]byte(`{"resourceType":"Bundle","type":"searchset","total":0}`))
				return
			}
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found"}]}`))
		}
	}))
	return h
}

// Item 3, bad input: --upstream protects another FHIR server and starts no
// sandbox; while that server is down apps get 502 with an OperationOutcome,
// pages tell an outage, and all recovers by itself.
func TestAnotherUpstream(t *testing.T) {
	h := newHospital(t)
	s := start(t, func(c *app.Config) { c.Upstream = h.URL + "/fhir" })
	if s.Upstream != h.URL+"/fhir" {
		t.Errorf("the ready file names %s", s.Upstream)
	}
	b := s.browser("rosa")
	g := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Browser: b}})
	if res := s.fetch(t, g.Access(), "Patient/rosa", http.StatusOK); !strings.Contains(string(res.Body), "Elsewhere") {
		t.Errorf("not from the hospital: %s", res.Body)
	}
	h.down.Store(true)
	if res := s.fetch(t, g.Access(), "Patient/rosa", http.StatusBadGateway); res.Text("resourceType") != "OperationOutcome" {
		t.Errorf("%s %s", res, res.Body)
	}
	token := s.refreshed(t, g, g.RefreshToken(), http.StatusOK).Text("access_token")
	if p, err := b.Open(t.Context(), s.at("/apps"), ""); err != nil || p.Status != http.StatusOK || !strings.Contains(p.Text(), "Care Planner") {
		t.Errorf("apps cannot be seen while the upstream is down: %s %v", p.Response, err)
	}
	req := s.AuthorizeRequest(g.Client, "launch/patient patient/Patient.rs patient/Observation.rs", s.NewVerifier())
	if a := s.answered(t, req, kit.Visit{Browser: b}); a.Query != nil || a.Last.Status != http.StatusBadGateway {
		t.Errorf("a launch while the upstream is down: %s", a)
	}
	h.down.Store(false)
	s.fetch(t, token, "Patient/rosa", http.StatusOK)
	if a := s.answered(t, req, kit.Visit{Browser: b}); a.Code() == "" {
		t.Errorf("after the outage: %s", a)
	}
}

// A request that is in flight when the server is told to stop is answered and
// recorded, not refused.
func TestStopLetsRequestsFinish(t *testing.T) {
	h := newHospital(t)
	s := start(t, func(c *app.Config) { c.Upstream = h.URL + "/fhir" })
	g := s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: s.browser("rosa")}})
	held, release := make(chan struct{}), make(chan struct{})
	hold := func() { close(held); <-release }
	h.hold.Store(&hold)
	status := make(chan int, 1)
	go func() {
		res, err := s.FHIR(context.Background(), g.Access(), "Patient/rosa")
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		status <- res.Status
	}()
	<-held
	s.end()
	for { // until nobody is let in any more
		c, err := net.Dial("tcp", strings.TrimPrefix(s.Issuer, "http://"))
		if err != nil {
			break
		}
		c.Close()
	}
	close(release)
	if got := <-status; got != http.StatusOK {
		t.Errorf("the last request got %d", got)
	}
}
