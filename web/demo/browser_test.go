package demo

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// record is a Mandate that answers a browser: it allows at once, and lies as
// told.
type record struct {
	t          *testing.T
	mu         sync.Mutex
	key        *rsa.PrivateKey
	self, demo string
	asked      url.Values
	calls      []string
	revoked    string
	refreshes  int
	withdrawn  bool
	// stay keeps the browser at the authorization endpoint.
	stay bool
	// state, issuer, nonce and signature spoil that part of the answer.
	state, issuer, nonce, signature bool
}

func (m *record) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, r.Method+" "+r.URL.Path)
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", m.demo)
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
	switch {
	case r.Method == http.MethodOptions:
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Path == "/fhir/.well-known/smart-configuration":
		writeJSON(w, http.StatusOK, map[string]string{
			"issuer": m.self, "authorization_endpoint": m.self + "/authorize", "token_endpoint": m.self + "/token",
			"revocation_endpoint": m.self + "/revoke", "jwks_uri": m.self + "/jwks",
		})
	case r.URL.Path == "/authorize":
		m.authorize(w, r)
	case r.URL.Path == "/token":
		m.token(w, r)
	case r.URL.Path == "/revoke":
		m.revoked = r.PostFormValue("token")
	case r.URL.Path == "/jwks":
		writeJSON(w, http.StatusOK, map[string]any{"keys": []any{map[string]string{
			"kty": "RSA", "kid": "k", "alg": "RS256", "n": encode(m.key.N.Bytes()), "e": encode(big.NewInt(int64(m.key.E)).Bytes()),
		}}})
	case m.withdrawn, r.Header.Get("Authorization") != "Bearer t1" && r.Header.Get("Authorization") != "Bearer t2":
		writeJSON(w, http.StatusUnauthorized, map[string]any{"resourceType": "OperationOutcome"})
	case r.URL.Path == "/fhir/Patient/rosa":
		writeJSON(w, http.StatusOK, map[string]any{"resourceType": "Patient", "name": []any{map[string]string{"text": "Rosa <b>Alvarez"}}, "birthDate": "1947-06-19"})
	case r.URL.Path == "/fhir/Observation":
		writeJSON(w, http.StatusOK, map[string]any{"resourceType": "Bundle", "total": 212, "entry": []any{map[string]any{"resource": map[string]any{
			"resourceType": "Observation", "code": map[string]string{"text": "Sodium"}, "valueQuantity": map[string]any{"value": 140, "unit": "mmol/L"},
		}}}})
	default:
		writeJSON(w, http.StatusForbidden, map[string]any{"resourceType": "OperationOutcome", "issue": []any{map[string]string{"diagnostics": "No scope for it."}}})
	}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (m *record) authorize(w http.ResponseWriter, r *http.Request) {
	m.asked = r.URL.Query()
	if m.stay {
		_, _ = w.Write([]byte(`<h1 id="signin">Sign in</h1>`))
		return
	}
	back := url.Values{"code": {"the-code"}, "state": {m.asked.Get("state")}, "iss": {m.self}}
	if m.state {
		back.Set("state", "another."+encode([]byte("openid")))
	}
	if m.issuer {
		back.Set("iss", "https://elsewhere.example")
	}
	http.Redirect(w, r, m.asked.Get("redirect_uri")+"?"+back.Encode(), http.StatusSeeOther)
}

func (m *record) token(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("grant_type") == "refresh_token" {
		if m.refreshes++; m.refreshes > 1 || r.PostForm.Get("refresh_token") != "r1" {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": "The access was withdrawn."})
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"access_token": "t2", "refresh_token": "r2", "token_type": "Bearer", "expires_in": 7200, "scope": "openid"})
		return
	}
	if challenge(r.PostForm.Get("code_verifier")) != m.asked.Get("code_challenge") || r.PostForm.Get("code") != "the-code" {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"access_token": "t1", "refresh_token": "r1", "token_type": "Bearer", "expires_in": 3600, "patient": "rosa", "id_token": m.identity(),
		"scope": "launch/patient openid fhirUser patient/Patient.rs patient/Observation.rs",
	})
}

func (m *record) identity() string {
	claims := map[string]any{"iss": m.self, "sub": "s", "aud": "demo-app", "fhirUser": "Patient/rosa", "nonce": m.asked.Get("nonce")}
	if m.nonce {
		claims["nonce"] = "another"
	}
	body, err := json.Marshal(claims)
	if err != nil {
		m.t.Error(err)
	}
	signed := encode([]byte(`{"alg":"RS256","kid":"k"}`)) + "." + encode(body)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, m.key, crypto.SHA256, sum[:])
	if err != nil {
		m.t.Error(err)
	}
	if m.signature {
		signature[0] ^= 1
	}
	return signed + "." + encode(signature)
}

// heard lists the requests so far, query gives the last authorization request
// and ended the token that was revoked.
func (m *record) heard() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

func (m *record) query() url.Values {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

func (m *record) withdraw() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.withdrawn = true
}

func (m *record) ended() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.revoked
}

// fhirCalls counts what was asked of the record.
func (m *record) fhirCalls() int {
	count := 0
	for _, c := range m.heard() {
		if strings.HasPrefix(c, "GET /fhir/") && !strings.Contains(c, ".well-known") {
			count++
		}
	}
	return count
}

// open starts a Mandate, the demonstration and a browser tab for it.
func open(t *testing.T, browser context.Context) (*record, context.Context) {
	t.Helper()
	// The random source of GenerateKey has no effect on its secure default.
	key, err := rsa.GenerateKey(nil, 2048)
	if err != nil {
		t.Fatal(err)
	}
	m := &record{t: t, key: key}
	mandate := httptest.NewServer(m)
	var h http.Handler
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
	m.self, m.demo = mandate.URL, site.URL
	h, err = New(Config{
		Base: site.URL, Issuer: mandate.URL, FHIRBase: mandate.URL + "/fhir", LaunchURL: mandate.URL + "/launch", EHRClientID: "e", EHRSecret: "s",
		AppClientID: "demo-app", Now: time.Now, Patients: func(context.Context) ([]Patient, error) { return nil, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	tab, closeTab := chromedp.NewContext(browser)
	tab, cancel := context.WithTimeout(tab, time.Minute)
	t.Cleanup(func() { cancel(); closeTab(); site.Close(); mandate.Close() })
	return m, tab
}

func newBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	browser, quit := chromedp.NewContext(alloc)
	t.Cleanup(func() { quit(); stop() })
	if err := chromedp.Run(browser); err != nil {
		t.Fatalf("the tests need Chromium: %v", err)
	}
	return browser
}

func act(t *testing.T, tab context.Context, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(tab, actions...); err != nil {
		t.Fatal(err)
	}
}

// ends waits until the element has the text, across redirects.
func ends(t *testing.T, tab context.Context, selector, text string) {
	t.Helper()
	wait, cancel := context.WithTimeout(tab, 15*time.Second)
	defer cancel()
	path := `//*[@id="` + strings.TrimPrefix(selector, "#") + `"][contains(., "` + text + `")]`
	if err := chromedp.Run(wait, chromedp.WaitReady(path, chromedp.BySearch)); err != nil {
		t.Fatalf("%s never said %q: %v", selector, text, err)
	}
}

func value(t *testing.T, tab context.Context, script string) string {
	t.Helper()
	var out string
	act(t, tab, chromedp.Evaluate(script, &out))
	return out
}

// kept lists what the browser holds for the app's origin, and where it is.
const kept = `[...Object.keys(sessionStorage).sort(), ...Object.keys(localStorage), document.cookie, location.pathname + location.search].join(" ")`

func TestInBrowser(t *testing.T) {
	browser := newBrowser(t)
	t.Run("connect, read, refresh, disconnect", func(t *testing.T) { wholeVisit(t, browser) })
	t.Run("storage during the redirect", func(t *testing.T) { onlyStateAndVerifier(t, browser) })
	t.Run("spoilt answers", func(t *testing.T) { spoiltAnswers(t, browser) })
	t.Run("EHR launch", func(t *testing.T) { ehrLaunch(t, browser) })
}

// A person connects, sees what came and what was refused, refreshes until it
// is refused, and leaves (issue item 11).
func wholeVisit(t *testing.T, browser context.Context) {
	m, tab := open(t, browser)
	act(t, tab, chromedp.Navigate(m.demo+"/app/?preset=medicines"), chromedp.Click("#connect", chromedp.ByQuery))
	ends(t, tab, "#status", "Connected.")
	for selector, want := range map[string]string{
		"#patient-name": "Rosa <b>Alvarez, 19 June 1947", "#user": "Rosa <b>Alvarez", "#data-Observation": "212", "#granted": "patient/Observation.rs",
		"#not-granted": "patient/MedicationRequest.rs", "#refused-Condition": "not allowed (403): No scope for it.", "#context": "rosa", "#log": "POST /token: 200",
	} {
		ends(t, tab, selector, want)
	}
	if got := value(t, tab, kept); got != " /app/" {
		t.Errorf("the browser keeps %q", got)
	}
	first := value(t, tab, `document.querySelector("#expires").dataset.at`)
	act(t, tab, chromedp.Click("#refresh", chromedp.ByQuery))
	ends(t, tab, "#status", "Access was refreshed")
	if second := value(t, tab, `document.querySelector("#expires").dataset.at`); second <= first {
		t.Errorf("access ended at %s, now at %s", first, second)
	}
	act(t, tab, chromedp.Click("#refresh", chromedp.ByQuery))
	ends(t, tab, "#status", "Refresh was refused: invalid_grant. The access was withdrawn.")
	m.withdraw()
	act(t, tab, chromedp.Click("#reload", chromedp.ByQuery))
	ends(t, tab, "#status", "Access has ended.")
	ends(t, tab, "#refused-Patient", "access has ended (401)")
	act(t, tab, chromedp.Click("#disconnect", chromedp.ByQuery))
	ends(t, tab, "#status", "Disconnected.")
	if left := value(t, tab, `document.querySelector("#record").textContent`); m.ended() != "r2" || strings.Contains(left, "Rosa") || strings.Contains(left, "Sodium") {
		t.Errorf("revoked %q, still shown: %s", m.ended(), left)
	}
}

// While the person is at Mandate's pages only state and verifier wait.
func onlyStateAndVerifier(t *testing.T, browser context.Context) {
	m, tab := open(t, browser)
	m.stay = true
	act(t, tab, chromedp.Navigate(m.demo+"/app/"), chromedp.Click("#connect", chromedp.ByQuery), chromedp.WaitVisible("#signin", chromedp.ByQuery))
	if m.query().Get("code_challenge_method") != "S256" || m.query().Get("aud") != m.self+"/fhir" || len(m.query().Get("state")) < 43 { // SMART AZ-03, AZ-06
		t.Errorf("asked %v", m.query())
	}
	act(t, tab, chromedp.Navigate(m.demo+"/app/"))
	if got := value(t, tab, kept); got != "code_verifier state  /app/" {
		t.Errorf("the browser keeps %q", got)
	}
}

// An answer that is not for this question, from another server, or about
// another person, reads nothing (RFC 9207, OIDC Core §3.1.3.7, SMART OID-09).
func spoiltAnswers(t *testing.T, browser context.Context) {
	for code, spoil := range map[string]func(*record){
		"state_mismatch":  func(m *record) { m.state = true },
		"issuer_mismatch": func(m *record) { m.issuer = true },
		"identity":        func(m *record) { m.nonce = true },
		"identity ":       func(m *record) { m.signature = true },
	} {
		m, tab := open(t, browser)
		spoil(m)
		act(t, tab, chromedp.Navigate(m.demo+"/app/"), chromedp.Click("#connect", chromedp.ByQuery))
		ends(t, tab, "#error-code", strings.TrimSpace(code))
		if n := m.fhirCalls(); n > 0 {
			t.Errorf("%s: the record was asked %d times", code, n)
		}
		if got := value(t, tab, kept); got != " /app/" {
			t.Errorf("%s: the browser keeps %q", code, got)
		}
	}
}

// The EHR opens the app for its own server only (SMART LAU-01, LAU-03).
func ehrLaunch(t *testing.T, browser context.Context) {
	m, tab := open(t, browser)
	act(t, tab, chromedp.Navigate(m.demo+"/app/launch?iss="+url.QueryEscape("https://elsewhere.example/fhir")+"&launch=h"))
	ends(t, tab, "#error-code", "launch_elsewhere")
	if calls := m.heard(); len(calls) > 0 {
		t.Errorf("a foreign launch led to %v", calls)
	}
	act(t, tab, chromedp.Navigate(m.demo+"/app/launch?iss="+url.QueryEscape(m.self+"/fhir")+"&launch=h"))
	ends(t, tab, "#status", "Connected.")
	if m.query().Get("launch") != "h" || m.query().Get("scope") != ehrScope {
		t.Errorf("asked %v", m.query())
	}
	act(t, tab, chromedp.Click("#again", chromedp.ByQuery))
	ends(t, tab, "#status", "Connected.")
	if m.query().Has("launch") || !strings.HasPrefix(m.query().Get("scope"), "launch/patient ") {
		t.Errorf("asked again %v", m.query())
	}
}
