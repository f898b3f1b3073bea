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

func scimBody(members string) string {
	return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],` + members + `}`
}

// RFC 7644 §3: what means two things, costs too much or is not offered is refused with
// its scimType, and changes nothing.
func TestHostileDirectories(t *testing.T) {
	h := staffed(t, nil)
	u := h.user(h.scim("POST", "/Users", newHire, http.StatusCreated))
	at := "/Users/" + u.ID
	many := func(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	for _, c := range []struct {
		method, path, body string
		status             int
		scimType, code     string
	}{
		{"POST", "/Users", `{`, 400, "invalidSyntax", "json-malformed"},
		{"POST", "/Users", `[]`, 400, "invalidSyntax", "scim-syntax"},
		{"POST", "/Users", scimBody(`"userName":"a","username":"b"`), 400, "invalidSyntax", "json-duplicate-key"},
		{"POST", "/Users", scimBody(`"userName":"a","x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)), 400, "invalidSyntax", "json-depth"},
		{"POST", "/Users", scimBody(`"userName":"` + strings.Repeat("x", 300<<10) + `"`), 413, "", "body-too-large"},
		{"POST", "/Users", scimBody(`"userName":""`), 400, "invalidValue", "scim-value"},
		{"POST", "/Users", scimBody(`"userName":"a\u0000b"`), 400, "invalidValue", "scim-value"},
		{"POST", "/Users", scimBody(`"userName":7`), 400, "invalidValue", "scim-value"},
		{"POST", "/Users", scimBody(`"userName":"a","password":"secret"`), 400, "invalidValue", "scim-password"},
		{"POST", "/Users", scimBody(`"userName":"a","role":"admin"`), 400, "invalidSyntax", "scim-attribute-unknown"},
		{"POST", "/Users", scimBody(`"userName":"a","emails":[{"value":"a@b.example\nBcc: x@y.example"}]`), 400, "invalidValue", "scim-value"},
		{"POST", "/Users", scimBody(`"userName":"a","emails":[` + many(100, `{"value":"a@b.example"}`) + `]`), 413, "", "scim-limit"},
		{"POST", "/Users", scimBody(`"userName":"a","urn:mandate:scim:schemas:2.0:Staff":{"practitioner":"Patient/rosa"}`), 400, "invalidValue", "scim-value"},
		{"PATCH", at, patch(many(200, `{"op":"add","path":"displayName","value":"x"}`)), 413, "", "scim-limit"},
		{"PATCH", at, patch(`{"op":"move","path":"displayName","value":"x"}`), 400, "invalidSyntax", "scim-syntax"},
		{"PATCH", at, patch(`{"op":"remove"}`), 400, "noTarget", "scim-target"},
		{"PATCH", at, patch(`{"op":"replace","path":"emails[type eq \"fax\"].value","value":7}`), 400, "invalidValue", "scim-value"},
		{"PATCH", at, patch(`{"op":"remove","path":"emails[type eq \"fax\"]"}`), 400, "noTarget", "scim-target"},
		{"PATCH", at, patch(`{"op":"replace","path":"id","value":"x"}`), 400, "mutability", "scim-mutability"},
		{"PATCH", at, patch(`{"op":"replace","path":"groups","value":[{"value":"x"}]}`), 400, "mutability", "scim-mutability"},
		{"PATCH", at, patch(`{"op":"remove","path":"userName"}`), 400, "mutability", "scim-mutability"},
		{"PATCH", at, patch(`{"op":"replace","path":"emails[[","value":"x"}`), 400, "invalidFilter", "scim-filter"},
		{"PATCH", at, patch(`{"op":"replace","path":"secret","value":"x"}`), 400, "invalidPath", "scim-path"},
		{"PATCH", at, patch(`{"op":"replace","path":"urn:mandate:scim:schemas:2.0:Staff:practitioner","value":"Practitioner/dr-hale"}`), 400, "mutability", "scim-mutability"},
		{"GET", "/Users?" + filter(strings.Repeat("(", 50)+"id pr"+strings.Repeat(")", 50)), "", 400, "invalidFilter", "scim-filter"},
		{"GET", "/Users?" + filter("password pr"), "", 400, "invalidFilter", "scim-filter"},
		{"GET", "/Users?sortBy=userName", "", 400, "invalidValue", "scim-sort"},
		{"GET", "/Users?count=many", "", 400, "invalidValue", "scim-page"},
		{"POST", "/Bulk", "{}", 501, "", "scim-not-offered"},
		{"POST", "/Users/.search", "{}", 501, "", "scim-not-offered"},
		{"GET", "/Me", "", 501, "", "scim-not-offered"},
		{"POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Root"}`, 400, "invalidValue", "scim-group-unknown"},
		{"POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"clinicians"}`, 409, "uniqueness", "scim-group-exists"},
		{"DELETE", "/Groups/" + h.groupID("Clinicians"), "", 403, "", "scim-group-fixed"},
		{"GET", "/Users/" + strings.Repeat("x", 500), "", 404, "", "scim-not-found"},
		{"GET", "/Nothing", "", 404, "", "page-not-found"},
	} {
		h.wrong(c.method, c.path, c.body, c.status, c.scimType, c.code)
	}
	if got := h.user(h.scim("GET", at, "", http.StatusOK)); got.Meta.Version != u.Meta.Version {
		t.Errorf("something changed: %+v", got)
	}
	admin := patch(`{"op":"add","path":"members","value":[{"value":"` + u.ID + `"}]}`)
	h.scim("PATCH", "/Groups/"+h.groupID("Clinicians"), admin, http.StatusOK)
	h.wrong("PATCH", "/Groups/"+h.groupID("Administrators"), admin, http.StatusBadRequest, "invalidValue", "scim-two-roles")
	for _, bearer := range []string{"", "made-up", h.granted(t, kit.Launch{Client: h.Client("public"), Scope: "launch/patient patient/Patient.rs", Visit: kit.Visit{Browser: h.browser("rosa")}}).Access()} {
		res := h.do(t, kit.Request{URL: h.Issuer + "/scim/v2/Users", Bearer: bearer})
		if res.Status != http.StatusUnauthorized && res.Status != http.StatusForbidden || res.Header.Get("Content-Type") != scimMedia {
			t.Errorf("%q: %s %s", bearer, res, res.Body)
		}
	}
}

// RFC 7644 §3.4.2, §3.5.2, §3.14, RFC 7643 §5: pages, operations and versions.
func TestADirectoryReadsAndChanges(t *testing.T) {
	h := staffed(t, nil)
	u := h.user(h.scim("POST", "/Users", newHire, http.StatusCreated))
	at := "/Users/" + u.ID
	total, page := h.list("startIndex=2&count=1")
	if len(page) != 1 || total < 4 {
		t.Errorf("%d %+v", total, page)
	}
	for query, want := range map[string]int{"count=0": 0, "startIndex=999999999": 0, "startIndex=-5&count=2": 2, "count=100000": total} {
		if n, page := h.list(query); n != total || len(page) != want {
			t.Errorf("%s: %d of %d", query, len(page), n)
		}
	}
	if n, found := h.list(filter(`emails[type eq "work" and value sw "quinn"]`) + "&attributes=emails.type"); n != 1 || found[0].UserName != "" || found[0].ID != u.ID || found[0].Emails[0].Value != "" {
		t.Errorf("%d %+v", n, found)
	}
	for _, op := range []string{
		`{"op":"add","path":"emails","value":[{"value":"q2@lakeside.example","type":"other","primary":true}]}`,
		`{"op":"Replace","path":"emails[type eq \"home\"].value","value":"q3@home.example"}`,
		`{"op":"add","value":{"name.familyName":"Ruiz Vega","displayName":"Quinn R.","title":"Head nurse","phoneNumbers":[{"value":"555"}]}}`,
		`{"op":"replace","path":"addresses[type eq \"work\"].locality","value":"Springfield"}`,
		`{"op":"remove","path":"name.givenName"}`,
	} {
		h.scim("PATCH", at, patch(op), http.StatusOK)
	}
	got := h.user(h.scim("GET", at, "", http.StatusOK))
	primary := slices.IndexFunc(got.Emails, func(m struct {
		Value, Type string
		Primary     bool
	}) bool {
		return m.Primary
	})
	if got.DisplayName != "Quinn R." || len(got.Emails) != 3 || primary < 0 || got.Emails[primary].Value != "q2@lakeside.example" || got.Emails[1].Value != "q3@home.example" {
		t.Errorf("%+v", got)
	}
	h.scim("PATCH", at, patch(`{"op":"replace","path":"displayName","value":"x"}`), http.StatusPreconditionFailed, "If-Match", u.Meta.Version)
	h.scim("PATCH", at, patch(`{"op":"replace","path":"displayName","value":"Q"}`), http.StatusOK, "If-Match", got.Meta.Version)
	h.scim("DELETE", at, "", http.StatusPreconditionFailed, "If-Match", `W/"0"`)
	now := h.user(h.scim("GET", at, "", http.StatusOK))
	h.scim("GET", at, "", http.StatusNotModified, "If-None-Match", now.Meta.Version)
	put := h.user(h.scim("PUT", at, scimBody(`"userName":"quinn","active":true`), http.StatusOK))
	if len(put.Emails) != 0 || put.ExternalID != "" || put.Staff.Practitioner != "Practitioner/quinn" {
		t.Errorf("%+v", put)
	}
	var about struct {
		Bulk, Sort, Patch, Etag, Filter struct{ Supported bool }
	}
	res := h.scim("GET", "/ServiceProviderConfig", "", http.StatusOK)
	if err := json.Unmarshal(res.Body, &about); err != nil || about.Bulk.Supported || about.Sort.Supported || !about.Patch.Supported || !about.Etag.Supported || !about.Filter.Supported {
		t.Errorf("%s", res.Body)
	}
	for _, path := range []string{"/ResourceTypes", "/ResourceTypes/User", "/Schemas", "/Schemas/" + url.PathEscape("urn:ietf:params:scim:schemas:core:2.0:User")} {
		h.scim("GET", path, "", http.StatusOK)
	}
}
