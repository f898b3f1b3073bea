package problem

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
)

// kinds reads the constants of errs.Kind from the source, so that a new kind
// without a row fails here.
func kinds(t *testing.T) []errs.Kind {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../internal/errs/errs.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []errs.Kind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "Kind" {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, errs.Kind(value))
		return true
	})
	return out
}

func TestEveryKindHasARow(t *testing.T) {
	all := kinds(t)
	rows := table()
	if len(all) < 20 || len(rows) != len(all) {
		t.Errorf("%d kinds, %d rows", len(all), len(rows))
	}
	for _, k := range all {
		r, found := rows[k]
		if !found || r.status < 400 || r.oauth == "" || r.issue == "" || r.title == "" {
			t.Errorf("%s has no full row", k)
		}
	}
}

func record(do func(w http.ResponseWriter, r *http.Request), header ...string) (*httptest.ResponseRecorder, map[string]any) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/token", nil)
	if len(header) == 2 {
		r.Header.Set(header[0], header[1])
	}
	do(w, r)
	var body map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &body)
	return w, body
}

// SMART TOK-09, TOK-14, SYM-03
func TestOAuthErrors(t *testing.T) {
	p := New(Config{Issuer: "https://as.example"})
	err := errs.New(errs.InvalidClient, "secret-wrong", "Client authentication \"failed\".")
	w, body := record(func(w http.ResponseWriter, r *http.Request) { p.OAuth(w, r, err) }, "Authorization", "Basic eDp5")
	if w.Code != 401 || body["error"] != "invalid_client" || body["error_uri"] != "https://as.example/docs/errors/secret-wrong" ||
		body["error_description"] != "Client authentication failed." {
		t.Errorf("%d %v", w.Code, body)
	}
	if !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Basic ") || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Pragma") != "no-cache" {
		t.Errorf("%v", w.Header())
	}
	w, _ = record(func(w http.ResponseWriter, r *http.Request) { p.OAuth(w, r, err) })
	if w.Header().Get("WWW-Authenticate") != "" {
		t.Error("Basic was not tried")
	}
	w, body = record(func(w http.ResponseWriter, r *http.Request) {
		p.OAuth(w, r, errs.New(errs.Unavailable, "store", "Down."))
	})
	if w.Code != 503 || body["error"] != "temporarily_unavailable" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v %v", w.Code, body, w.Header())
	}
}

// SMART TOK-12: the FHIR base answers with an OperationOutcome and a Bearer
// challenge that names no error when no token was sent.
func TestFHIRErrors(t *testing.T) {
	p := New(Config{Issuer: "https://as.example"})
	err := errs.New(errs.Unauthenticated, "token-expired", "The token has expired.")
	w, body := record(func(w http.ResponseWriter, r *http.Request) { p.FHIR(w, r, err) }, "Authorization", "Bearer x")
	issue := body["issue"].([]any)[0].(map[string]any)
	coding := issue["details"].(map[string]any)["coding"].([]any)[0].(map[string]any)
	if w.Code != 401 || body["resourceType"] != "OperationOutcome" || issue["code"] != "login" || coding["code"] != "token-expired" || coding["system"] != CodeSystem {
		t.Errorf("%d %v", w.Code, body)
	}
	if got := w.Header().Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
		t.Error(got)
	}
	w, _ = record(func(w http.ResponseWriter, r *http.Request) { p.FHIR(w, r, err) })
	if got := w.Header().Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") || strings.Contains(got, "error") {
		t.Error(got)
	}
}

// An error of unknown origin is a general 500; its text goes to the log only.
func TestUnknownErrorsAreHidden(t *testing.T) {
	var log bytes.Buffer
	p := New(Config{Issuer: "https://as.example", Log: slog.New(slog.NewTextHandler(&log, nil))})
	cause := errors.New("the secret of the database")
	for name, do := range map[string]func(w http.ResponseWriter, r *http.Request){
		"oauth": func(w http.ResponseWriter, r *http.Request) { p.OAuth(w, r, cause) },
		"fhir":  func(w http.ResponseWriter, r *http.Request) { p.FHIR(w, r, cause) },
		"json":  func(w http.ResponseWriter, r *http.Request) { p.JSON(w, r, cause) },
		"html":  func(w http.ResponseWriter, r *http.Request) { p.HTML(w, r, cause) },
		"kind":  func(w http.ResponseWriter, r *http.Request) { p.JSON(w, r, errs.New("new", "x", "secret")) },
	} {
		log.Reset()
		w, _ := record(do)
		if w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if !strings.Contains(log.String(), "secret") {
			t.Errorf("%s: the cause was not logged", name)
		}
	}
}

// The log of a failure names no patient: ids stay in the audit log, which the
// id of the request leads to.
func TestFailuresAreLoggedWithoutIDs(t *testing.T) {
	for path, want := range map[string]string{
		"/fhir/Patient/rosa/_history/1": "/fhir/Patient/…", "/fhir/Patient/rosa": "/fhir/Patient/…",
		"/fhir/Observation": "/fhir/Observation", "/token": "/token", "/apps/9f1c/end": "/apps/9f1c/…",
	} {
		var log bytes.Buffer
		p := New(Config{Issuer: "https://as.example", Log: slog.New(slog.NewTextHandler(&log, nil))})
		w := httptest.NewRecorder()
		w.Header().Set("X-Request-Id", "r-17")
		p.FHIR(w, httptest.NewRequest("GET", path+"?name=Rosa", nil), errs.New(errs.Upstream, "upstream-failed", "x"))
		if !strings.Contains(log.String(), "request_id=r-17 method=GET path="+want+" ") || strings.Contains(log.String(), "rosa") || strings.Contains(log.String(), "Rosa") {
			t.Errorf("%s: %s", path, log.String())
		}
	}
}

func TestPagesAndProblems(t *testing.T) {
	var status int
	p := New(Config{Issuer: "https://as.example", Page: func(w http.ResponseWriter, _ *http.Request, s int, _ *errs.Error) {
		status = s
		w.WriteHeader(s)
	}})
	err := errs.New(errs.NotFound, "flow-unknown", "There is no such request.")
	if w, _ := record(func(w http.ResponseWriter, r *http.Request) { p.HTML(w, r, err) }); w.Code != 404 || status != 404 {
		t.Error("the page was not rendered")
	}
	w, body := record(func(w http.ResponseWriter, r *http.Request) { p.JSON(w, r, err) })
	if w.Header().Get("Content-Type") != "application/problem+json" || body["status"] != 404.0 || body["code"] != "flow-unknown" || p.Status(err) != 404 {
		t.Errorf("%v", body)
	}
}

// faulty is an error that knows where it is.
type faulty struct{}

func (faulty) Error() string      { return "faulty" }
func (faulty) Elements() []string { return []string{"Observation.status"} }

// A malformed resource is refused naming the element, as FHIRPath too.
func TestOutcomeNamesTheElements(t *testing.T) {
	p := New(Config{Issuer: "https://mandate.example"})
	raw, err := json.Marshal(p.Outcome(errs.Wrap(faulty{}, errs.Invalid, "fhir-invalid", "Observation.status: not a code.")))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), `"expression":["Observation.status"]`) {
		t.Errorf("%s", raw)
	}
	raw, err = json.Marshal(p.Outcome(errs.New(errs.Forbidden, "no-scope", "No.")))
	if err != nil || strings.Contains(string(raw), "expression") {
		t.Errorf("%s %v", raw, err)
	}
}
