package app_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// put files a resource under a version the caller knows.
func (s *server) put(t *testing.T, path, ifMatch string, body []byte) *kit.Response {
	t.Helper()
	r := kit.Request{Method: http.MethodPut, URL: s.AdminAPI.URL + path, Bearer: s.AdminAPI.Token, Body: strings.NewReader(string(body)), Type: "application/fhir+json"}
	if ifMatch != "" {
		r.Header = http.Header{"If-Match": {ifMatch}}
	}
	return s.do(t, r)
}

// Consents and relations are filed with versions; a new one works at once, and
// one that the engine could not honour is refused with its element.
func TestFilingConsentsAndRelations(t *testing.T) {
	s := start(t, nil)
	var list struct {
		Consents []json.RawMessage `json:"consents"`
	}
	s.admin(t, "GET", "/consents?patient=rosa", "", &list)
	i := slices.IndexFunc(list.Consents, func(raw json.RawMessage) bool {
		var c struct{ ID string }
		return json.Unmarshal(raw, &c) == nil && c.ID == "e1-daughter-meds-appts"
	})
	if i < 0 {
		t.Fatal("the daughter's Consent is not there")
	}
	// The copy permits download: then a refresh token is given (SC-16).
	wide := strings.ReplaceAll(string(list.Consents[i]), `"INFAO"`, `"INFA"`)
	wide = strings.ReplaceAll(wide, "e1-daughter-meds-appts", "e1-copy")
	if res := s.put(t, "/consents/e1-copy", "", []byte(wide)); res.Status != http.StatusOK {
		t.Fatal(res, string(res.Body))
	}
	launch := func() *kit.Grant {
		return s.granted(t, kit.Launch{Client: s.Client("symmetric"), Scope: "launch/patient offline_access patient/*.rs", Visit: kit.Visit{Browser: s.browser("elena"), Patient: "rosa"}})
	}
	// Both Consents contribute, and one of them is view only.
	if g := launch(); g.RefreshToken() != "" {
		t.Error("a view-only Consent among them gave a refresh token")
	}
	s.admin(t, "POST", "/consents/e1-daughter-meds-appts/withdraw", "", nil)
	g := launch()
	if g.RefreshToken() == "" {
		t.Error("the copy gave no refresh token")
	}
	for _, test := range []struct {
		name, path, match, body string
		want                    int
	}{
		{"created twice", "/consents/e1-copy", "", wide, http.StatusConflict},
		{"an old version", "/consents/e1-copy", `W/"7"`, wide, http.StatusPreconditionFailed},
		{"a version in words", "/consents/e1-copy", "newest", wide, http.StatusBadRequest},
		{"another id inside", "/consents/other", "", wide, http.StatusBadRequest},
		{"no FHIR", "/consents/x", "", `{"resourceType":"Consent","status":"maybe"}`, http.StatusBadRequest},
		{"no JSON", "/related-persons/x", "", `{`, http.StatusBadRequest},
		{"the present version", "/consents/e1-copy", `W/"1"`, wide, http.StatusOK},
	} {
		if res := s.put(t, test.path, test.match, []byte(test.body)); res.Status != test.want {
			t.Errorf("%s: %s %s", test.name, res, res.Body)
		}
	}
	// The relation ends: the app is refused though the Consent stands.
	relation := `{"resourceType":"RelatedPerson","id":"rosa-elena","active":false,"patient":{"reference":"Patient/rosa"}}`
	if res := s.put(t, "/related-persons/rosa-elena", `W/"1"`, []byte(relation)); res.Status != http.StatusOK {
		t.Fatal(res, string(res.Body))
	}
	if res := s.fhir(t, g.Access(), "MedicationRequest?patient=rosa"); res.Status != http.StatusForbidden && res.Status != http.StatusUnauthorized {
		t.Error(res)
	}
	s.refreshed(t, g, g.RefreshToken(), http.StatusBadRequest)
}

// A report of the audit log says up to when it is complete.
func TestAuditReportsSayHowOldTheyAre(t *testing.T) {
	s := shared(t)
	began := time.Now()
	res := s.do(t, kit.Request{URL: s.AdminAPI.URL + "/audit", Bearer: s.AdminAPI.Token})
	at, err := time.Parse(time.RFC3339Nano, res.Header.Get("Mandate-As-Of"))
	if err != nil || at.Before(began.Add(-time.Second)) || res.Status != http.StatusOK {
		t.Errorf("%s: as of %v %v", res, at, err)
	}
	code, _, errOut := cli(t, "serve", "--upstream", "http://127.0.0.1:1/fhir", "--public-url", "https://x.example", "--database-reports", "postgres://r/x")
	if code != 1 || !strings.Contains(errOut, "there is no replica without a database") {
		t.Errorf("%d %s", code, errOut)
	}
}

// CPA TR-47: who signs for the patient must have had the authority when it was signed,
// whatever holds now.
func TestWhoSignsHadTheAuthorityThen(t *testing.T) {
	s := start(t, nil)
	relation := func(from time.Time) string {
		return `{"resourceType":"RelatedPerson","id":"rosa-marcus","active":true,"patient":{"reference":"Patient/rosa"},"period":{"start":"` + from.Format(time.DateOnly) + `"}}`
	}
	signed := s.amended(t, "rosa", "e3-agent-springing", func(m map[string]any) {
		m["id"], m["status"] = "e3-signed", "active"
		m["performer"] = []any{map[string]any{"reference": "RelatedPerson/rosa-marcus"}}
		m["policy"] = []any{map[string]any{"uri": "https://mandate.example/policy/proxy/representative/1"}}
		m["dateTime"] = s.Now().Add(-time.Hour).Format(time.RFC3339)
	})
	if res := s.put(t, "/related-persons/rosa-marcus", `W/"1"`, []byte(relation(s.Now().AddDate(0, 0, 1)))); res.Status != http.StatusOK {
		t.Fatal(res, string(res.Body))
	}
	if res := s.put(t, "/consents/e3-signed", "", signed); res.Status != http.StatusUnprocessableEntity || !strings.Contains(string(res.Body), "had no authority at Consent.dateTime") {
		t.Errorf("signed before the authority began: %d %s", res.Status, res.Body)
	}
	if res := s.put(t, "/related-persons/rosa-marcus", `W/"2"`, []byte(relation(s.Now().AddDate(0, 0, -1)))); res.Status != http.StatusOK {
		t.Fatal(res, string(res.Body))
	}
	if res := s.put(t, "/consents/e3-signed", "", signed); res.Status != http.StatusOK {
		t.Errorf("signed while it held: %d %s", res.Status, res.Body)
	}
}
