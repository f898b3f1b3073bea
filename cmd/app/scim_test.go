package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/identity/factor/totp"
)

const scimMedia = "application/scim+json"

// hr is a directory that provisions the staff of a server.
type hr struct {
	*server
	t      *testing.T
	bearer string
}

// staffed starts a server with a directory; its token is that of a backend service.
func staffed(t *testing.T, change func(*app.Config)) hr {
	t.Helper()
	tool, entry := service(t, "hr-directory", "admin/scim")
	s := start(t, func(c *app.Config) {
		c.ClientFiles = []string{file(t, entry)}
		if change != nil {
			change(c)
		}
	})
	res, err := s.ClientCredentials(t.Context(), tool, "admin/scim")
	if err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	return hr{s, t, res.Text("access_token")}
}

// scim sends a request and wants a status.
func (h hr) scim(method, path, body string, want int, headers ...string) *kit.Response {
	h.t.Helper()
	r := kit.Request{Method: method, URL: h.Issuer + "/scim/v2" + path, Bearer: h.bearer, Header: http.Header{}}
	if body != "" {
		r.Body, r.Type = strings.NewReader(body), scimMedia
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res := h.do(h.t, r)
	if res.Status != want {
		h.t.Errorf("%s %s %.200s: %d, not %d: %.400s", method, path, body, res.Status, want, res.Body)
	}
	if len(res.Body) > 0 && res.Header.Get("Content-Type") != scimMedia {
		h.t.Errorf("%s %s: %s", method, path, res.Header.Get("Content-Type"))
	}
	return res
}

// wrong wants an error with its scimType and cause code.
func (h hr) wrong(method, path, body string, status int, scimType, code string) {
	h.t.Helper()
	var got struct {
		Schemas                        []string
		ScimType, Status, Code, Detail string
	}
	res := h.scim(method, path, body, status)
	if err := json.Unmarshal(res.Body, &got); err != nil || got.ScimType != scimType || got.Code != code || got.Detail == "" || got.Status == "" ||
		!slices.Equal(got.Schemas, []string{"urn:ietf:params:scim:api:messages:2.0:Error"}) {
		h.t.Errorf("%s %s %.200s: %s, not %s %s", method, path, body, res.Body, scimType, code)
	}
}

type scimUser struct {
	ID, UserName, DisplayName, ExternalID string
	Active                                bool
	Emails                                []struct {
		Value, Type string
		Primary     bool
	}
	Groups []struct{ Value, Display string }
	Meta   struct{ Version, Location string }
	Staff  struct{ Practitioner string } `json:"urn:mandate:scim:schemas:2.0:Staff"`
}

func (h hr) user(res *kit.Response) (u scimUser) {
	h.t.Helper()
	if err := json.Unmarshal(res.Body, &u); err != nil {
		h.t.Fatalf("%v: %s", err, res.Body)
	}
	return u
}

// list finds users by a filter.
func (h hr) list(query string) (total int, users []scimUser) {
	h.t.Helper()
	var page struct {
		TotalResults int
		Resources    []scimUser
	}
	res := h.scim("GET", "/Users?"+query, "", http.StatusOK)
	if err := json.Unmarshal(res.Body, &page); err != nil {
		h.t.Fatal(err)
	}
	return page.TotalResults, page.Resources
}

func filter(f string) string { return "filter=" + url.QueryEscape(f) }

// groupID gives the id of a group by its name.
func (h hr) groupID(name string) string {
	h.t.Helper()
	var page struct{ Resources []struct{ ID string } }
	res := h.scim("GET", "/Groups?"+filter(`displayName eq "`+name+`"`), "", http.StatusOK)
	if err := json.Unmarshal(res.Body, &page); err != nil || len(page.Resources) != 1 {
		h.t.Fatalf("%s: %s", name, res.Body)
	}
	return page.Resources[0].ID
}

func patch(ops string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + ops + `]}`
}

const newHire = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User","urn:mandate:scim:schemas:2.0:Staff"],
	"userName":"quinn","externalId":"E-1007","name":{"givenName":"Quinn","familyName":"Ruiz"},"title":"Nurse","active":true,
	"emails":[{"value":"quinn@lakeside.example","type":"work","primary":true},{"value":"quinn@home.example","type":"home"}],
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Palliative care"},
	"urn:mandate:scim:schemas:2.0:Staff":{"practitioner":"Practitioner/quinn"}}`

// enrols follows the link of the message and signs in.
func (h hr) enrols(username string) *kit.Browser {
	h.t.Helper()
	n := h.sent(h.t, "account-enrolment", nil)
	b := h.NewBrowser(kit.Person{Username: username})
	p, err := b.Open(h.t.Context(), h.at("/enrol/"+n.Args["secret"]), "")
	if err != nil || !strings.Contains(p.Text(), "Set up your account") {
		h.t.Fatal(p, err)
	}
	q, err := b.Post(h.t.Context(), p.Forms[len(p.Forms)-1], p.Forms[len(p.Forms)-1].Values(nil), "")
	if err != nil || !strings.Contains(q.Text(), "Choose a password for your new account") {
		h.t.Fatalf("%v %s", err, q.Text())
	}
	secret := q.FormWith("secret").Field("secret").Value
	code, err := totp.Code(secret, h.Now().Unix()/30)
	if err != nil {
		h.t.Fatal(err)
	}
	q = h.post(h.t, b, q, "again", map[string]string{"password": regained, "again": regained, "code": code})
	if !strings.Contains(q.Text(), "Your new password is saved") {
		h.t.Fatal(q.Text())
	}
	// The link opens nothing a second time.
	again := h.NewBrowser(kit.Person{Username: username})
	if p, err = again.Open(h.t.Context(), h.at("/enrol/"+n.Args["secret"]), ""); err == nil {
		p, err = again.Post(h.t.Context(), p.Forms[len(p.Forms)-1], p.Forms[len(p.Forms)-1].Values(nil), "")
	}
	if err != nil || p.Status != http.StatusNotFound {
		h.t.Errorf("the link works again: %v %s", err, p.Text())
	}
	if err := h.Advance(h.t.Context(), time.Minute); err != nil {
		h.t.Fatal(err)
	}
	in := h.NewBrowser(kit.Person{Username: username, Password: regained, TOTPSecret: secret})
	if p := h.open(h.t, in, "/account"); p.Status != http.StatusOK || !strings.Contains(p.Text(), "Quinn") {
		h.t.Fatalf("cannot sign in: %s", p.Text())
	}
	return in
}

// HS-08, RFC 7644: a nurse is hired, gets a group and a link, works, and leaves: her
// log-in, refresh token and FHIR calls are over at once; what she signs in with stays.
func TestANurseComesAndGoes(t *testing.T) {
	h := staffed(t, nil)
	made := h.scim("POST", "/Users", newHire, http.StatusCreated)
	u := h.user(made)
	if made.Header.Get("Location") != u.Meta.Location || made.Header.Get("ETag") != u.Meta.Version || u.UserName != "quinn" || u.DisplayName != "Quinn Ruiz" ||
		!u.Active || u.Staff.Practitioner != "Practitioner/quinn" || len(u.Emails) != 2 || strings.Contains(string(made.Body), "Palliative") {
		t.Fatalf("%s", made.Body)
	}
	clinicians := h.groupID("Clinicians")
	join := patch(`{"op":"add","path":"members","value":[{"value":"` + u.ID + `"}]}`)
	h.scim("PATCH", "/Groups/"+clinicians, join, http.StatusOK)
	if _, found := h.list(filter(`userName eq "QUINN" and active eq true`)); len(found) != 1 || len(found[0].Groups) != 1 || found[0].Groups[0].Display != "Clinicians" {
		t.Errorf("%+v", found)
	}
	b := h.enrols("quinn")
	if p := h.open(t, b, "/staff"); p.Status != http.StatusOK {
		t.Errorf("not staff: %s", p.Text())
	}
	handle := h.handle(t, h.Client("symmetric").ID, map[string]any{"patient": "rosa"})
	g := h.granted(t, kit.Launch{Client: h.Client("symmetric"), Scope: "launch openid fhirUser offline_access patient/Patient.rs", Handle: handle, Visit: kit.Visit{Browser: b}})
	h.fetch(t, g.Access(), "Patient/rosa", http.StatusOK)

	before := time.Now()
	h.scim("PATCH", "/Users/"+u.ID, patch(`{"op":"Replace","path":"active","value":"False"}`), http.StatusOK)
	h.fetch(t, g.Access(), "Patient/rosa", http.StatusUnauthorized)
	h.refreshed(t, g, g.RefreshToken(), http.StatusBadRequest)
	if p, err := b.Open(t.Context(), h.at("/account"), ""); err == nil && strings.Contains(p.Text(), "Quinn Ruiz") {
		t.Error("the log-in lives on")
	}
	if late := time.Since(before); late > time.Second {
		t.Logf("all was tried within %s", late)
	}
	// Back again: the password and the code app are hers still, the old access is not.
	h.scim("PATCH", "/Users/"+u.ID, patch(`{"op":"replace","value":{"active":true}}`), http.StatusOK)
	h.fetch(t, g.Access(), "Patient/rosa", http.StatusUnauthorized)
	h.refreshed(t, g, g.RefreshToken(), http.StatusBadRequest)
	if err := h.Advance(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	again := h.NewBrowser(b.Person)
	if p := h.open(t, again, "/account"); p.Status != http.StatusOK {
		t.Errorf("she cannot sign in again: %s", p.Text())
	}
	// Out of the group she has no role, and out of the directory she is nobody there.
	h.scim("PATCH", "/Groups/"+clinicians, patch(`{"op":"remove","path":"members[value eq \"`+u.ID+`\"]"}`), http.StatusOK)
	if p, err := again.Open(t.Context(), h.at("/account"), ""); err == nil && strings.Contains(p.Text(), "Quinn Ruiz") {
		t.Error("without a role the log-in lives on")
	}
	h.scim("DELETE", "/Users/"+u.ID, "", http.StatusNoContent)
	h.wrong("GET", "/Users/"+u.ID, "", http.StatusNotFound, "", "scim-not-found")
	if second := h.user(h.scim("POST", "/Users", newHire, http.StatusCreated)); second.ID == u.ID {
		t.Error("the account of who left came back")
	}
	h.recordedFor(u.ID)
}

// recordedFor wants the acts on an account in the audit log, under the directory's
// name and without anybody's.
func (h hr) recordedFor(id string) {
	h.t.Helper()
	acts := map[string]bool{}
	for _, e := range h.events(h.t, "kind=person.saved") {
		if e.Detail["account"] == id {
			acts[e.Detail["changed"]] = true
			if e.Detail["administrator"] != "hr-directory" || e.RequestID == "" {
				h.t.Errorf("%+v", e)
			}
		}
	}
	for _, want := range []string{"active", "groups", "userName name externalId emails active practitioner"} {
		if !acts[want] {
			h.t.Errorf("%q is not recorded: %v", want, acts)
		}
	}
	ended := h.events(h.t, "kind=grant.revoked")
	if len(ended) == 0 || ended[0].Reason != "account-deactivated" || ended[0].Detail["administrator"] != "hr-directory" {
		h.t.Errorf("%+v", ended)
	}
	for _, never := range []string{"quinn@lakeside.example", "Ruiz", "E-1007"} {
		if strings.Contains(h.out.String(), never) {
			h.t.Errorf("the log says %q", never)
		}
	}
}

// A directory sees staff and nobody else, and takes no account over by a name.
func TestADirectorySeesStaffOnly(t *testing.T) {
	h := staffed(t, nil)
	total, all := h.list("count=200")
	var names []string
	for _, u := range all {
		names = append(names, u.UserName)
	}
	if total != len(all) || !slices.Contains(names, "hale") || !slices.Contains(names, "admin") || slices.Contains(names, "rosa") || slices.Contains(names, "elena") {
		t.Errorf("%d %v", total, names)
	}
	rosa := h.accountID("rosa")
	for _, f := range []string{`userName eq "rosa"`, `id eq "` + rosa + `"`, `displayName co "Rosa"`} {
		if n, _ := h.list(filter(f)); n != 0 {
			t.Errorf("%s finds %d", f, n)
		}
	}
	for method, body := range map[string]string{"GET": "", "PUT": newHire, "DELETE": "", "PATCH": patch(`{"op":"replace","path":"active","value":false}`)} {
		h.wrong(method, "/Users/"+rosa, body, http.StatusNotFound, "", "scim-not-found")
	}
	h.wrong("PATCH", "/Groups/"+h.groupID("Clinicians"), patch(`{"op":"add","path":"members","value":[{"value":"`+rosa+`"}]}`), http.StatusBadRequest, "invalidValue", "scim-member-unknown")
	h.open(t, h.browser("rosa"), "/account")

	u := h.user(h.scim("POST", "/Users", newHire, http.StatusCreated))
	for code, body := range map[string]string{
		"scim-username-taken":     `{"userName":"ROSA"}`,
		"scim-external-id-taken":  `{"userName":"x1","externalId":"E-1007"}`,
		"scim-email-taken":        `{"userName":"x2","emails":[{"value":"QUINN@lakeside.example"}]}`,
		"scim-practitioner-taken": `{"userName":"x3","urn:mandate:scim:schemas:2.0:Staff":{"practitioner":"Practitioner/dr-hale"}}`,
	} {
		body = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],` + body[1:]
		h.wrong("POST", "/Users", body, http.StatusConflict, "uniqueness", code)
		if !slices.ContainsFunc(h.events(t, "kind=person.saved"), func(e eventRow) bool { return e.Reason == code }) {
			t.Errorf("%s is not recorded", code)
		}
	}
	h.wrong("PATCH", "/Users/"+u.ID, patch(`{"op":"replace","path":"userName","value":"hale"}`), http.StatusConflict, "uniqueness", "scim-username-taken")
	hale := all[slices.Index(names, "hale")]
	h.wrong("PATCH", "/Users/"+hale.ID, patch(`{"op":"add","path":"externalId","value":"E-1007"}`), http.StatusConflict, "uniqueness", "scim-external-id-taken")

	// The last administrator stays one.
	admin := all[slices.Index(names, "admin")]
	h.wrong("DELETE", "/Users/"+admin.ID, "", http.StatusForbidden, "", "scim-last-administrator")
	h.wrong("PATCH", "/Users/"+admin.ID, patch(`{"op":"replace","path":"active","value":false}`), http.StatusForbidden, "", "scim-last-administrator")
	h.wrong("PATCH", "/Groups/"+h.groupID("Clinicians"), patch(`{"op":"add","path":"members","value":[{"value":"`+admin.ID+`"}]}`), http.StatusForbidden, "", "scim-last-administrator")
}

// accountID gives the id of an account, by its own audit trail.
func (h hr) accountID(username string) string {
	h.t.Helper()
	h.open(h.t, h.browser(username), "/account")
	all := h.events(h.t, "kind=login.succeeded")
	if len(all) == 0 || all[0].PersonID == "" {
		h.t.Fatalf("%+v", all)
	}
	return all[0].PersonID
}
