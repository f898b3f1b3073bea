package conformance_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance"
	"github.com/mandate-health/mandate/conformance/kit"
)

// routeLine is one line of `mandate routes --json`.
type routeLine struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Auth   string `json:"auth"`
	Owner  string `json:"owner"`
	Reason string `json:"reason"`
}

// openToAll reads the short list of what anybody may call.
func openToAll(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("testdata/open-routes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 || fields[2] == "" {
			t.Fatalf("a line without its reason: %q", line)
		}
		for method := range strings.FieldsSeq(fields[0]) {
			names = append(names, method+" "+fields[1])
		}
	}
	return names
}

func listRoutes(t *testing.T) []routeLine {
	t.Helper()
	out, err := exec.Command(shared.binary, "routes", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var lines []routeLine
	if err := json.Unmarshal(out, &lines); err != nil {
		t.Fatal(err)
	}
	return lines
}

// styleFile is a public document whose name changes with its content.
var styleFile = regexp.MustCompile(`/smart-style-[0-9a-f]+\.json$`)

func TestOpenRoutes(t *testing.T) {
	met, open := map[string]bool{}, openToAll(t)
	for _, r := range listRoutes(t) {
		name := styleFile.ReplaceAllString(r.Method+" "+r.Path, "/smart-style-{hash}.json")
		met[name] = true
		listed := slices.Contains(open, name)
		if (r.Auth == "none") != listed {
			t.Errorf("%s has authentication %q, on the open list: %v", name, r.Auth, listed)
		}
		if r.Auth == "none" && r.Reason == "" {
			t.Errorf("%s is open without a reason", name)
		}
	}
	for _, name := range open {
		if !met[name] {
			t.Errorf("%s is on the open list and no route", name)
		}
	}
}

// credential is what a caller presents.
type credential struct {
	name   string
	header http.Header
	cookie string
	form   url.Values
}

// TestGuardedRoutes calls each route with no, a wrong and an expired
// credential: 401 or 403, or the way to the sign-in for pages.
func TestGuardedRoutes(t *testing.T) {
	target := another(t, "routes").open(t)
	creds := []credential{
		{name: "no credential"},
		{name: "a wrong credential", header: http.Header{"Authorization": {"Bearer wrong"}}, cookie: "mandate_session=" + strings.Repeat("A", 43) + "; mandate_flow=" + strings.Repeat("B", 43)},
		expired(t, target),
	}
	for _, r := range listRoutes(t) {
		if r.Auth == "none" || r.Auth == "dev" {
			continue
		}
		t.Run(r.Method+r.Path, func(t *testing.T) {
			for _, c := range creds {
				call(t, target, r, c)
			}
		})
	}
}

// expired gives an access token, a session cookie and an assertion that were
// good and have run out.
func expired(t *testing.T, target *conformance.Target) credential {
	t.Helper()
	g, err := target.Standard(t.Context(), "public", "rosa", "launch/patient patient/Patient.rs")
	if err != nil {
		t.Fatal(err)
	}
	backend := target.Client("backend")
	assertion, err := backend.Sign(target.NewAssertion(backend, "ES384"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := target.Browser("rosa").SignIn(t.Context(), target.Config.Management)
	if err != nil || page.Status != http.StatusOK {
		t.Fatal(page, err)
	}
	cookie := target.Browser("rosa").Cookies(target.Config.Management)
	if !strings.Contains(cookie, "session=") {
		t.Fatalf("no session cookie among %d bytes", len(cookie))
	}
	if err := target.Advance(t.Context(), 48*time.Hour); err != nil {
		t.Fatal(err)
	}
	return credential{
		name: "an expired credential", header: http.Header{"Authorization": {"Bearer " + g.Access()}}, cookie: cookie,
		form: url.Values{"client_assertion_type": {kit.AssertionType}, "client_assertion": {assertion}},
	}
}

var variable = regexp.MustCompile(`\{[^}]*\}`)

func call(t *testing.T, target *conformance.Target, r routeLine, c credential) {
	t.Helper()
	path := r.Path
	if strings.HasPrefix(path, "/fhir/") {
		path = variable.ReplaceAllString(path, "Patient/rosa")
	}
	req := kit.Request{Method: r.Method, URL: target.Issuer + variable.ReplaceAllString(path, "some-id"), Header: http.Header{"Accept": {"text/html"}}}
	for name, values := range c.header {
		req.Header[name] = values
	}
	if c.cookie != "" {
		req.Header.Set("Cookie", c.cookie)
	}
	fill(&req, r, c)
	res, err := target.Do(t.Context(), req)
	if err != nil {
		t.Error(err)
		return
	}
	to := res.Header.Get("Location")
	signIn := (r.Auth == "session" || r.Auth == "flow") && res.Status == http.StatusSeeOther && strings.HasPrefix(strings.TrimPrefix(to, target.Issuer), "/signin")
	if res.Status != http.StatusUnauthorized && res.Status != http.StatusForbidden && !signIn {
		t.Errorf("with %s: %s, Location %q", c.name, res, to)
	}
}

// fill gives a request the body that the route needs before it looks at who
// asks.
func fill(req *kit.Request, r routeLine, c credential) {
	switch {
	case r.Path == "/launch":
		if c.form != nil {
			req.Header.Del("Authorization")
		}
		body := map[string]any{"client_id": "demo-app", "patient": "rosa"}
		for name, values := range c.form {
			body[name] = values[0]
		}
		raw, err := json.Marshal(body)
		if err == nil {
			req.Type, req.Body = "application/json", bytes.NewReader(raw)
		}
	case r.Auth == "client":
		req.Form = url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs"}, "token": {"some-token"}}
		for name, values := range c.form {
			req.Form[name] = values
		}
		if c.form != nil || c.name == "a wrong credential" {
			req.Header.Del("Authorization")
		}
		if c.name == "a wrong credential" {
			req.Basic = &[2]string{"demo-symmetric", "wrong"}
		}
	case r.Method == http.MethodPost && strings.HasPrefix(r.Path, "/fhir"), r.Method == http.MethodPut, r.Method == http.MethodPatch:
		req.Type, req.Body = "application/fhir+json", strings.NewReader(`{"resourceType":"Patient","id":"rosa"}`)
	case r.Method == http.MethodPost:
		req.Form = url.Values{"answer": {"allow"}}
	}
}

// wayIn is an address at which somebody proves something of themself, or is sent to do so.
var wayIn = regexp.MustCompile(`^(GET|POST) /(signin|staff|recover|enrol|bedside|invitation|device|authorize|end-session|signout|signed-out)\b`)

// CPA AS-01: the operator's manual names each way in, with its strength.
func TestEveryWayInIsWritten(t *testing.T) {
	manual, err := os.ReadFile("../docs/operations/signin.md")
	if err != nil {
		t.Fatal(err)
	}
	ways := 0
	for _, name := range openToAll(t) {
		_, path, _ := strings.Cut(name, " ")
		if !wayIn.MatchString(name) || strings.HasPrefix(path, "/device_") || path == "/device/done" {
			continue
		}
		if ways++; !strings.Contains(string(manual), "`"+path+"`") {
			t.Errorf("%s is not in docs/operations/signin.md", name)
		}
	}
	if ways < 25 {
		t.Errorf("only %d ways in are listed", ways)
	}
}
