package web_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/route"
)

// site is a server whose handlers say who they are.
type site struct {
	http.Handler
	log bytes.Buffer
	// gateway holds the raw request targets that reached the gateway.
	gateway []string
}

func say(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func open(method, path string, h http.Handler) route.Route {
	return route.Route{Method: method, Path: path, Auth: route.None, PHI: route.NoPHI, Owner: "web", Reason: "a test", Handler: h}
}

func newSite(t *testing.T, change func(*web.Deps)) *site {
	t.Helper()
	s := &site{}
	d := web.Deps{
		Routes: []route.Route{
			open("GET", "/help", say("help")),
			open("POST", "/token", say("token")),
			open("GET", "/fhir/.well-known/smart-configuration", say("discovery")),
			open("GET", "/boom", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("rosa's secret") })),
			open("GET", "/cut", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })),
			open("GET", "/id", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, web.RequestID(r)) })),
		},
		FHIRBasePath: "/fhir",
		Gateway: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.gateway = append(s.gateway, r.Method+" "+r.URL.EscapedPath())
			_, _ = io.WriteString(w, "gateway")
		}),
		NotFound: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "no such page")
		}),
		Failed: func(w http.ResponseWriter, _ *http.Request, err error) {
			status := http.StatusInternalServerError
			if errs.Is(err, errs.NotSupported) {
				status = http.StatusMethodNotAllowed
			}
			w.WriteHeader(status)
			fmt.Fprint(w, errs.As(err).Code)
		},
		Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	}
	if change != nil {
		change(&d)
	}
	h, err := web.New(d)
	if err != nil {
		t.Fatal(err)
	}
	s.Handler = h
	return s
}

// ask sends a request with the target as a client wrote it.
func (s *site) ask(t *testing.T, method, target string) *httptest.ResponseRecorder {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, "/", nil)
	r.URL, r.RequestURI = u, target
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// A wrong method at an address of OAuth clients is answered as they read it,
// below the tenant's base too; elsewhere by a page.
func TestWrongMethodsOfClients(t *testing.T) {
	s := newSite(t, func(d *web.Deps) {
		d.Base = route.BaseOf("acme")
		d.Routes[1].Auth, d.Routes[1].Reason = route.Client, ""
		d.Routes = append(d.Routes, open("OPTIONS", "/token", say("preflight")))
		d.FailedClient = func(w http.ResponseWriter, _ *http.Request, err error) {
			w.WriteHeader(http.StatusMethodNotAllowed)
			fmt.Fprintf(w, `{"error":%q}`, errs.As(err).Code)
		}
	})
	for target, want := range map[string]string{"/t/acme/token": `{"error":"method-not-allowed"}`, "/t/acme/help": "method-not-allowed"} {
		w := s.ask(t, "PUT", target)
		if w.Code != http.StatusMethodNotAllowed || w.Body.String() != want || w.Header().Get("Allow") == "" {
			t.Errorf("%s: %d %s %v", target, w.Code, w.Body, w.Header())
		}
	}
}

// TRP-22: who answers which address. Below the FHIR base the gateway sees the
// path as the client sent it; registered routes win there.
func TestWhoAnswers(t *testing.T) {
	tests := []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/help", 200, "help"},
		{"HEAD", "/help", 200, "help"},
		{"GET", "/help/", 404, "no such page"},
		{"GET", "/nowhere", 404, "no such page"},
		{"GET", "//help", 404, "no such page"},
		{"POST", "/help", 405, "method-not-allowed"},
		{"GET", "/token", 405, "method-not-allowed"},
		{"DELETE", "/token", 405, "method-not-allowed"},
		{"GET", "/fhir/.well-known/smart-configuration", 200, "discovery"},
		{"HEAD", "/fhir/.well-known/smart-configuration", 200, "discovery"},
		{"POST", "/fhir/.well-known/smart-configuration", 200, "gateway"},
		{"GET", "/fhir", 200, "gateway"},
		{"POST", "/fhir", 200, "gateway"},
		{"GET", "/fhir/", 200, "gateway"},
		{"GET", "/fhir/Patient/rosa", 200, "gateway"},
		{"GET", "/fhir/Patient/..%2f..%2fhelp", 200, "gateway"},
		{"GET", "/fhir/../help", 200, "gateway"},
		{"GET", "/fhir//Patient", 200, "gateway"},
		{"GET", "/fhir/Patient/%72osa", 200, "gateway"},
		{"BREW", "/fhir/Patient", 200, "gateway"},
		{"GET", "/fhirx/Patient", 404, "no such page"},
		{"GET", "/fhir%2fPatient", 404, "no such page"},
	}
	for _, test := range tests {
		s := newSite(t, nil)
		got := s.ask(t, test.method, test.target)
		if got.Code != test.status || got.Body.String() != test.body {
			t.Errorf("%s %s: %d %q", test.method, test.target, got.Code, got.Body)
		}
		if want := []string{test.method + " " + test.target}; test.body == "gateway" && !slices.Equal(s.gateway, want) {
			t.Errorf("the gateway saw %q, not %q", s.gateway, want)
		}
	}
}

// A route with variables wins below the FHIR base too, for its own method.
func TestWhoAnswersAVariedPathBelowTheFHIRBase(t *testing.T) {
	for path, below := range map[string]string{"/fhir/Thing/{id}": "/fhir/Thing/1", "/{any}/Thing": "/fhir/Thing"} {
		s := newSite(t, func(d *web.Deps) { d.Routes = append(d.Routes, open("GET", path, say("varied"))) })
		for target, want := range map[string]string{"GET " + below: "varied", "PUT " + below: "gateway", "GET /fhir/Patient/1": "gateway"} {
			method, address, _ := strings.Cut(target, " ")
			if got := s.ask(t, method, address); got.Body.String() != want {
				t.Errorf("%s beside %s: %q", target, path, got.Body)
			}
		}
	}
}

// RFC 9110 §15.5.6: a refused method comes with those that are taken.
func TestMethodNotAllowedNamesMethods(t *testing.T) {
	s := newSite(t, nil)
	if allow := s.ask(t, "PUT", "/token").Header().Get("Allow"); allow != "POST" {
		t.Errorf("Allow %q", allow)
	}
	if allow := s.ask(t, "PUT", "/help").Header().Get("Allow"); allow != "GET, HEAD" {
		t.Errorf("Allow %q", allow)
	}
}

// A fault of one request is a page with nothing of the fault on it, and an
// entry in the log that the request id finds.
func TestPanicBecomesAPage(t *testing.T) {
	s := newSite(t, nil)
	got := s.ask(t, "GET", "/boom")
	if got.Code != http.StatusInternalServerError || got.Body.String() != "unexpected" {
		t.Errorf("%d %q", got.Code, got.Body)
	}
	id := got.Header().Get("X-Request-Id")
	if id == "" || !strings.Contains(s.log.String(), id) || !strings.Contains(s.log.String(), "server_test.go") {
		t.Errorf("id %q, log %s", id, s.log.String())
	}
	if s.ask(t, "GET", "/help").Body.String() != "help" {
		t.Error("the next request failed too")
	}
	defer func() {
		fault := recover()
		if err, ok := fault.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("an aborted answer was mended: %v", fault)
		}
	}()
	s.ask(t, "GET", "/cut")
}

// AR-02, D15: each answer has an id of its own, and HSTS only where the public
// URL is https.
func TestEveryAnswerHasItsID(t *testing.T) {
	s := newSite(t, nil)
	seen := map[string]bool{}
	for _, target := range []string{"/id", "/id", "/nowhere", "/fhir/Patient"} {
		got := s.ask(t, "GET", target)
		id := got.Header().Get("X-Request-Id")
		if id == "" || seen[id] || got.Header().Get("X-Content-Type-Options") != "nosniff" || got.Header().Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: %v", target, got.Header())
		}
		seen[id] = true
		if target == "/id" && got.Body.String() != id {
			t.Errorf("the handler knows %q, the client %q", got.Body, id)
		}
	}
	secure := newSite(t, func(d *web.Deps) { d.HSTS = true })
	if !strings.HasPrefix(secure.ask(t, "GET", "/help").Header().Get("Strict-Transport-Security"), "max-age=") {
		t.Error("no HSTS")
	}
}

// Every fault of every route is told before anything is served.
func TestRoutesAreValidated(t *testing.T) {
	_, err := web.New(web.Deps{Routes: []route.Route{
		{Method: "get", Path: "/a", Auth: route.None, PHI: route.NoPHI, Owner: "x", Reason: "y", Handler: say("")},
		{Method: "GET", Path: "b", Auth: route.None, PHI: route.Record},
		open("GET", "/c", say("")), open("GET", "/c", say("")),
	}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, word := range []string{"get /a", "GET b", "handler", "reason", "GET /c: registered twice"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%v does not say %q", err, word)
		}
	}
}

// A path without variables is looked up, which changes nothing of who answers:
// the route that was added first.
func TestTheFirstRouteKeepsItsAddresses(t *testing.T) {
	s := newSite(t, func(d *web.Deps) {
		d.Routes = append(d.Routes, open("GET", "/apps/{id}", say("any app")), open("GET", "/apps/new", say("a new app")), open("POST", "/apps/new", say("made")))
	})
	for target, want := range map[string]string{"GET /apps/new": "any app", "GET /apps/7": "any app", "POST /apps/new": "made", "GET /%68elp": "help"} {
		method, path, _ := strings.Cut(target, " ")
		if w := s.ask(t, method, path); w.Code != http.StatusOK || w.Body.String() != want {
			t.Errorf("%s: %d %q", target, w.Code, w.Body)
		}
	}
}
