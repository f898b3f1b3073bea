package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// flightRow is one request as the flight recorder shows it.
type flightRow struct {
	Act, Outcome, Cause, Hint, Docs string
	Method                          string   `json:"client_authentication"`
	GrantType                       string   `json:"grant_type"`
	Scopes                          []string `json:"scopes"`
	Explained                       []struct{ Scope, Code string }
	Hints                           map[string]string
}

// flights gives a client's flight recorder as its operator sees it.
func (s *server) flights(t *testing.T, client string) []flightRow {
	t.Helper()
	var out struct{ Requests []flightRow }
	s.admin(t, "GET", "/clients/"+client+"/requests", "", &out)
	return out.Requests
}

// find gives the latest request of the kind.
func find(t *testing.T, rows []flightRow, act string) flightRow {
	t.Helper()
	at := slices.IndexFunc(rows, func(r flightRow) bool { return r.Act == act })
	if at < 0 {
		t.Fatalf("no %s among %+v", act, rows)
	}
	return rows[at]
}

// An app's maker learns from the flight recorder why a request was refused and
// what became of each scope: whole ∪ explained = requested.
func TestFlightRecorder(t *testing.T) {
	s := start(t, nil)
	symmetric, backend := s.Client("symmetric"), s.Client("backend")
	asked := "launch/patient openid patient/Observation.rs patient/Obsrevation.rs system/Patient.rs patient/Patient.rs?family=canary-name"
	g := s.granted(t, kit.Launch{Client: symmetric, Scope: asked, Visit: kit.Visit{Browser: s.browser("rosa")}})
	res, err := s.ClientCredentials(t.Context(), backend, "system/Patient.rs patient/Patient.rs junk")
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	wrong := symmetric
	wrong.Secret = "not-the-secret"
	if res, err = s.Introspect(t.Context(), wrong, g.Access()); err != nil || res.Status != http.StatusUnauthorized {
		t.Fatal(res, err)
	}
	s.fetch(t, g.Access(), "Condition?patient=rosa", http.StatusForbidden)

	rows := s.flights(t, symmetric.ID)
	created := find(t, rows, "grant.created")
	text, _ := json.Marshal(rows)
	if strings.Contains(string(text), "canary") || strings.Contains(string(text), `"rosa"`) {
		t.Errorf("the recorder names a person: %s", text)
	}
	for _, one := range strings.Fields(asked) {
		shown, _, _ := strings.Cut(one, "=canary")
		whole := slices.Contains(created.Scopes, one)
		told := slices.ContainsFunc(created.Explained, func(e struct{ Scope, Code string }) bool {
			return strings.HasPrefix(e.Scope, shown) && created.Hints[e.Code] != ""
		})
		if whole == told {
			t.Errorf("%s: granted %t, explained %t: %+v", one, whole, told, created)
		}
	}
	if r := find(t, rows, "fhir.refused"); r.Cause == "" || r.Docs == "" || r.Outcome != "refused" {
		t.Errorf("%+v", r)
	}
	if r := find(t, rows, "token.refused"); r.Cause != "secret-wrong" || !strings.Contains(r.Hint, "secret") {
		t.Errorf("%+v", r)
	}
	if docs := s.get(t, find(t, rows, "token.refused").Docs); docs.Status != http.StatusOK {
		t.Error(docs)
	}

	if r := find(t, s.flights(t, backend.ID), "token.issued"); len(r.Explained) != 2 || r.Method != "private_key_jwt" || r.GrantType != "client_credentials" {
		t.Errorf("%+v", r)
	}
	var own struct{ Requests []flightRow }
	res, err = s.Call(t.Context(), s.at("/requests"), backend, url.Values{})
	if err != nil || res.Status != http.StatusOK || json.Unmarshal(res.Body, &own) != nil || len(own.Requests) == 0 {
		t.Fatal(res, err)
	}
	if res, err = s.Call(t.Context(), s.at("/requests"), s.Client("public"), url.Values{}); err != nil || res.Status != http.StatusUnauthorized {
		t.Errorf("an app without a credential is shown what others do under its id: %v %v", res, err)
	}
}

// A developer on the command line gets the same, with what to do about it.
func TestFlightRecorderOnTheCommandLine(t *testing.T) {
	s := start(t, nil)
	c := s.Client("public")
	req := s.AuthorizeRequest(c, "patient/obs.rs junk", s.NewVerifier())
	s.wantError(t, s.answered(t, req, kit.Visit{Browser: s.browser("rosa")}), req, "invalid_scope")
	s.flights(t, c.ID)
	s.stop(t)
	code, out, errOut := cli(t, "client", "requests", c.ID, "--data", s.data)
	for _, want := range []string{"authorize.refused refused", "scope-unknown", "patient/obs.rs: scope-unknown", "junk: scope-unknown", "spelling"} {
		if !strings.Contains(out, want) {
			t.Errorf("%d: %q is missing in\n%s%s", code, want, out, errOut)
		}
	}
	if code, _, errOut := cli(t, "client", "requests", "nobody", "--data", s.data); code != 1 || !strings.Contains(errOut, "client") {
		t.Errorf("%d: %s", code, errOut)
	}
}
