package demo

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// world is the demonstration beside a Mandate that answers as told.
type world struct {
	t       *testing.T
	demo    http.Handler
	mandate *httptest.Server
	// launches holds what was registered.
	launches []map[string]any
	// used counts how often a launch handle came to the authorize endpoint.
	used map[string]int
	// lenient makes the fake accept what it should refuse.
	lenient bool
	// scope is what every token is granted.
	scope string
	codes map[string]bool
	down  bool
}

const base = "http://demo.test"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, used: map[string]int{}, codes: map[string]bool{"fresh-code": true}, scope: fhirTrip}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fhir/.well-known/smart-configuration", w.discovery)
	mux.HandleFunc("POST /launch", w.register)
	mux.HandleFunc("GET /authorize", w.authorize)
	mux.HandleFunc("POST /token", w.token)
	mux.HandleFunc("/fhir/", w.fhir)
	w.mandate = httptest.NewServer(mux)
	t.Cleanup(w.mandate.Close)
	h, err := New(w.config())
	if err != nil {
		t.Fatal(err)
	}
	w.demo = h
	return w
}

func (w *world) config() Config {
	return Config{
		Base: base, Issuer: w.mandate.URL, FHIRBase: w.mandate.URL + "/fhir", LaunchURL: w.mandate.URL + "/launch",
		EHRClientID: "demo-ehr", EHRSecret: "s3cret+with/signs", AppClientID: "demo-app",
		Patients: func(context.Context) ([]Patient, error) {
			if w.down {
				return nil, errors.New("the upstream is down")
			}
			return []Patient{{ID: "rosa", Name: "Rosa Alvarez", Encounter: "rosa-visit-1"}, {ID: "noah", Name: "Noah <Reyes>"}}, nil
		},
		Users:  []User{{Reference: "Practitioner/dr-hale", Name: "Dr. Hale"}},
		Apps:   []App{{ClientID: "demo-app", Name: "Heart Diary", LaunchURL: base + "/app/launch"}, {ClientID: "planner", Name: "Care Planner", LaunchURL: "https://planner.example/start"}},
		People: []Person{{Username: "rosa", Name: "Rosa Alvarez", Role: "patient"}, {Username: "elena", Name: "Elena <Alvarez>", Role: "proxy", Code: func() string { return "123456" }}},
		Cases:  []Case{{Helper: "Elena <Alvarez>", Patient: "Rosa Alvarez", State: "active", As: []string{"rosa", "elena"}}},
		Now:    func() time.Time { return time.Date(2026, time.November, 22, 9, 0, 0, 0, time.UTC) },
	}
}

func (w *world) discovery(rw http.ResponseWriter, _ *http.Request) {
	writeJSON(rw, http.StatusOK, map[string]any{
		// As long as a real one: the scopes fill many kilobytes.
		"scopes_supported":       strings.Split(strings.Repeat("patient/Observation.rs ", 1000), " "),
		"authorization_endpoint": w.mandate.URL + "/authorize", "token_endpoint": w.mandate.URL + "/token",
	})
}

func (w *world) register(rw http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	secret, err := url.QueryUnescape(secret)
	if id != "demo-ehr" || secret != "s3cret+with/signs" || err != nil {
		writeJSON(rw, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.t.Error(err)
	}
	w.launches = append(w.launches, body)
	answer := map[string]string{"launch": "handle-of-" + body["client_id"].(string), "iss": w.mandate.URL + "/fhir", "expires_at": "2026-11-22T09:05:00Z"}
	switch body["client_id"] {
	case "demo-app":
		answer["launch_url"] = base + "/app/launch?iss=x&launch=handle-of-demo-app"
	case "stranger":
		answer["launch_url"] = "https://stranger.example/start?launch=handle-of-stranger"
	case "refused":
		writeJSON(rw, http.StatusBadRequest, map[string]string{"detail": "client_id names no registered app."})
		return
	}
	writeJSON(rw, http.StatusCreated, answer)
}

// authorize refuses as the specifications want it.
func (w *world) authorize(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	handle := q.Get("launch")
	w.used[handle]++
	fault := ""
	switch {
	case w.lenient:
	case q.Get("client_id") != "demo-app", q.Get("redirect_uri") != base+"/app/callback":
		http.Error(rw, "an error page", http.StatusBadRequest)
		return
	case q.Get("response_type") != "code":
		fault = "unsupported_response_type"
	case q.Get("aud") != w.mandate.URL+"/fhir", !q.Has("state"), q.Get("code_challenge_method") != "S256", len(q["scope"]) > 1,
		handle != "" && (handle != "handle-of-demo-app" || w.used[handle] > 1):
		fault = "invalid_request"
	}
	if fault != "" {
		http.Redirect(rw, r, base+"/app/callback?"+url.Values{"error": {fault}, "state": q["state"]}.Encode(), http.StatusSeeOther)
		return
	}
	http.Redirect(rw, r, "/flow/1", http.StatusSeeOther)
}

func (w *world) token(rw http.ResponseWriter, r *http.Request) {
	code := r.PostFormValue("code")
	id, _, tried := r.BasicAuth()
	switch fresh := w.codes[code]; {
	case tried && id == "demo-ehr", r.PostForm.Has("client_assertion"):
		writeJSON(rw, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
	case r.PostForm.Get("grant_type") == "password":
		writeJSON(rw, http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
	case w.lenient, fresh && challenge(r.PostForm.Get("code_verifier")) == challenge(faultVerifier) && r.PostForm.Get("redirect_uri") == base+"/app/callback":
		delete(w.codes, code)
		writeJSON(rw, http.StatusOK, map[string]string{"access_token": "good", "patient": "rosa", "scope": w.scope})
	default:
		writeJSON(rw, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
	}
}

func (w *world) fhir(rw http.ResponseWriter, r *http.Request) {
	status, element := http.StatusForbidden, ""
	switch {
	case w.lenient:
		writeJSON(rw, http.StatusOK, map[string]string{"resourceType": "Bundle"})
		return
	case r.Header.Get("Authorization") != "Bearer good":
		rw.Header().Set("WWW-Authenticate", `Bearer realm="fhir"`)
		status = http.StatusUnauthorized
	case r.Method == http.MethodPost:
		status, element = http.StatusBadRequest, "Observation.status"
	}
	writeJSON(rw, status, map[string]any{"resourceType": "OperationOutcome", "issue": []any{map[string]any{"expression": []string{element}}}})
}

// do sends one request to the demonstration.
func (w *world) do(method, path, form string, header ...string) *http.Response {
	w.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(form))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.demo.ServeHTTP(rec, r)
	return rec.Result()
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// nodes gives all elements of a page by document order.
func nodes(t *testing.T, page string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var out []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			out = append(out, n)
		}
	}
	return out
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func byID(t *testing.T, page, id string) *html.Node {
	t.Helper()
	for _, n := range nodes(t, page) {
		if v, _ := attr(n, "id"); v == id {
			return n
		}
	}
	t.Fatalf("no element with id %q", id)
	return nil
}

func inner(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}
