package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
)

// fault is one way in which a server could be broken, done by a proxy in front
// of a good one, and the rows that must notice it.
type fault struct {
	name     string
	request  func(*http.Request)
	response func(*http.Response)
	rows     []string
}

// at limits a change of answers to paths that end so.
func at(ending string, change func(*http.Response)) func(*http.Response) {
	return func(r *http.Response) {
		if strings.HasSuffix(r.Request.URL.Path, ending) {
			change(r)
		}
	}
}

// object changes an answer that is a JSON object.
func object(change func(map[string]any)) func(*http.Response) {
	return func(r *http.Response) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		doc := map[string]any{}
		if json.Unmarshal(raw, &doc) == nil {
			change(doc)
			if changed, err := json.Marshal(doc); err == nil {
				raw = changed
			}
		}
		replace(r, raw)
	}
}

func replace(r *http.Response, raw []byte) {
	r.Body = io.NopCloser(bytes.NewReader(raw))
	r.ContentLength = int64(len(raw))
	r.Header.Set("Content-Length", fmt.Sprint(len(raw)))
}

func set(name string, value any) func(map[string]any) {
	return func(doc map[string]any) { doc[name] = value }
}

// tokenMember changes a member of successful token answers.
func tokenMember(change func(map[string]any)) func(*http.Response) {
	return at("/token", object(func(doc map[string]any) {
		if doc["access_token"] != nil {
			change(doc)
		}
	}))
}

func header(name, value string) func(*http.Response) {
	return func(r *http.Response) {
		if value == "" {
			r.Header.Del(name)
		} else {
			r.Header.Set(name, value)
		}
	}
}

// redirectQuery changes the parameters that go back to an app.
func redirectQuery(change func(url.Values)) func(*http.Response) {
	return func(r *http.Response) {
		u, err := url.Parse(r.Header.Get("Location"))
		if err != nil || u.Query().Get("state") == "" || strings.HasSuffix(u.Path, "/authorize") {
			return
		}
		q := u.Query()
		change(q)
		u.RawQuery = q.Encode()
		r.Header.Set("Location", u.String())
	}
}

// authorizeQuery changes the parameters that come from an app.
func authorizeQuery(change func(url.Values)) func(*http.Request) {
	return func(r *http.Request) {
		if r.URL.Path != "/authorize" || r.Method != http.MethodGet {
			return
		}
		q := r.URL.Query()
		change(q)
		r.URL.RawQuery = q.Encode()
	}
}

// tokenForm changes the form of token requests.
func tokenForm(change func(url.Values)) func(*http.Request) {
	return func(r *http.Request) {
		if r.URL.Path != "/token" || r.Method != http.MethodPost {
			return
		}
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if form, err := url.ParseQuery(string(raw)); err == nil {
			change(form)
			raw = []byte(form.Encode())
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	}
}

// remember gives the first good token answer again for the same value of a
// parameter: a server that spends nothing.
func remember(parameter string) (func(*http.Request), func(*http.Response)) {
	var mu sync.Mutex
	answers := map[string][]byte{}
	seen := func(r *http.Request) string { return r.Header.Get("X-Seen") }
	return tokenFormSeen(parameter), func(r *http.Response) {
		key := seen(r.Request)
		if !strings.HasSuffix(r.Request.URL.Path, "/token") || key == "" {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if old := answers[key]; old != nil {
			r.StatusCode = http.StatusOK
			replace(r, old)
			return
		}
		if raw, err := io.ReadAll(r.Body); err == nil {
			if r.StatusCode == http.StatusOK {
				answers[key] = raw
			}
			replace(r, raw)
		}
	}
}

// tokenFormSeen notes a parameter of the token request in a header.
func tokenFormSeen(parameter string) func(*http.Request) {
	return func(r *http.Request) {
		value := ""
		tokenForm(func(f url.Values) { value = f.Get(parameter) })(r)
		r.Header.Set("X-Seen", value)
	}
}

func faults() []fault {
	spendCode, sameCode := remember("code")
	spendAssertion, sameAssertion := remember("client_assertion")
	return append(answerFaults(), []fault{
		{name: "codes work twice", request: spendCode, response: sameCode, rows: []string{"SMART AZ-16", "SMART AZ-16b"}},
		{name: "assertions work twice", request: spendAssertion, response: sameAssertion, rows: []string{"SMART ASY-10"}},
		{name: "plain is accepted", request: authorizeQuery(func(q url.Values) {
			if q.Get("code_challenge_method") == "plain" {
				q.Set("code_challenge", kit.Challenge(q.Get("code_challenge")))
			}
			q.Set("code_challenge_method", "S256")
		}), rows: []string{"SMART PKCE-01"}},
		{name: "any aud is accepted", request: func(r *http.Request) {
			authorizeQuery(func(q url.Values) { q.Set("aud", "http://"+r.Host+"/fhir") })(r)
		}, rows: []string{"SMART AZ-07", "SMART AZ-08"}},
		{name: "a missing state is accepted", request: authorizeQuery(func(q url.Values) {
			if q.Get("state") == "" {
				q.Set("state", "made-up")
			}
		}), rows: []string{"SMART AZ-11"}},
		{name: "scope is ignored at refresh", request: tokenForm(func(f url.Values) {
			if f.Get("grant_type") == "refresh_token" {
				f.Del("scope")
			}
		}), rows: []string{"SMART REF-03", "SMART REF-04"}},
		{name: "an unregistered redirect URI is followed", response: at("/authorize", func(r *http.Response) {
			to := r.Request.URL.Query().Get("redirect_uri")
			if r.StatusCode == http.StatusBadRequest && to != "" {
				r.StatusCode = http.StatusFound
				r.Header.Set("Location", to+"?error=invalid_request")
			}
		}), rows: []string{"SMART AZ-04", "SMART AZ-05"}},
	}...)
}

// answerFaults change answers only.
func answerFaults() []fault {
	return []fault{
		{name: "scope stripped from token answers", response: tokenMember(func(d map[string]any) { delete(d, "scope") }), rows: []string{"SMART TOK-05", "SMART TOK-07"}},
		{name: "no-store dropped", response: at("/token", header("Cache-Control", "")), rows: []string{"SMART TOK-09", "SMART REF-05"}},
		{name: "expires_in as text", response: tokenMember(set("expires_in", "3600")), rows: []string{"SMART TOK-06", "SMART REF-05"}},
		{name: "tokens of a day", response: tokenMember(set("expires_in", 86400)), rows: []string{"SMART TOK-11", "SMART BKS-04", "MANDATE SC-14"}},
		{name: "context only in the token", response: tokenMember(func(d map[string]any) { delete(d, "patient") }), rows: []string{"SMART TOK-10", "SMART CTX-01"}},
		{name: "patient with its type", response: tokenMember(func(d map[string]any) {
			if id, ok := d["patient"].(string); ok {
				d["patient"] = "Patient/" + id
			}
		}), rows: []string{"SMART CTX-01"}},
		{name: "no id_token", response: tokenMember(func(d map[string]any) { delete(d, "id_token") }), rows: []string{"SMART OID-01", "SMART OID-02"}},
		{name: "a refresh token for everybody", response: tokenMember(set("refresh_token", "given-away")), rows: []string{"SMART SCP-22", "SMART BKS-05", "SMART US-12"}},
		{name: "state changed", response: redirectQuery(func(q url.Values) { q.Set("state", strings.ToLower(q.Get("state"))+"x") }), rows: []string{"SMART AZ-01", "SMART AZ-10", "SMART AZ-12"}},
		{name: "iss left out", response: redirectQuery(func(q url.Values) { q.Del("iss") }), rows: []string{"SMART AZ-20"}},
		{name: "plain advertised", response: at("/smart-configuration", object(set("code_challenge_methods_supported", []string{"S256", "plain"}))), rows: []string{"SMART DISC-07"}},
		{name: "issuer with a slash", response: at("/openid-configuration", object(set("issuer", "http://other/"))), rows: []string{"SMART DISC-09"}},
		{name: "configuration as text", response: at("/smart-configuration", header("Content-Type", "text/plain")), rows: []string{"SMART DISC-03"}},
		{name: "introspection says why", response: at("/introspect", object(func(d map[string]any) {
			if d["active"] == false {
				d["error"] = "expired"
			}
		})), rows: []string{"SMART INT-07", "SMART INT-11"}},
		{name: "token endpoint open to any origin", response: at("/token", header("Access-Control-Allow-Origin", "*")), rows: []string{"SMART CORS-02"}},
		{name: "pages may be framed", response: func(r *http.Response) { r.Header.Del("Content-Security-Policy"); r.Header.Del("X-Frame-Options") }, rows: []string{"SMART AZ-19"}},
		{name: "refusals as empty Bundles", response: func(r *http.Response) {
			if strings.HasPrefix(r.Request.URL.Path, "/fhir/") && r.StatusCode == http.StatusForbidden {
				r.StatusCode = http.StatusOK
				replace(r, []byte(`{"resourceType":"Bundle","type":"searchset","total":0}`))
			}
		}, rows: []string{"SMART US-13", "SMART BKS-07", "SMART M-05", "SMART TRP-01"}},
		{name: "health data may be stored", response: at("/Patient/rosa", header("Cache-Control", "public, max-age=60")), rows: []string{"SMART NO-STORE"}},
	}
}

// broken is a proxy that breaks one thing at a time.
type broken struct{ current atomic.Pointer[fault] }

func (b *broken) serve(t *testing.T, l net.Listener, behind string) {
	t.Helper()
	target, err := url.Parse("http://" + behind)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding")
			if f := b.current.Load(); f != nil && f.request != nil {
				f.request(r.Out)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if f := b.current.Load(); f != nil && f.response != nil {
				f.response(r)
			}
			return nil
		},
	}
	s := &http.Server{Handler: proxy}
	go func() { _ = s.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = s.Close() })
}

// TestFaultsTurnRowsRed: rows that cannot fail are worth nothing. Each fault
// must be noticed by each of its rows, which pass without it.
func TestFaultsTurnRowsRed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	behind := freeAddress(t)
	b := &broken{}
	b.serve(t, l, behind)
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := another(t, "faults", "--listen", behind, "--public-url", "http://localhost:"+port)
	passing := s.open(t)
	passed := map[string]bool{}
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			for _, row := range rowsByID(t, f.rows...) {
				if !passed[row.ID] {
					must(t, passing, row)
					passed[row.ID] = true
				}
			}
			b.current.Store(&f)
			defer b.current.Store(nil)
			target := s.open(t)
			for _, row := range rowsByID(t, f.rows...) {
				if x := conformance.RunRow(t.Context(), target, row); x.Status != conformance.Fail {
					t.Errorf("%s: %s although %s", row.ID, x.Status, f.name)
				}
				target.Forget()
			}
		})
	}
}
