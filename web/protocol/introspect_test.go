package protocol_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// SMART INT-01…INT-06: the answer repeats scope, context and identity of the
// token response.
func TestIntrospectionRepeatsTheResponse(t *testing.T) {
	w := newWorld(t)
	a, _ := w.exchange(func(g *oauth.Grant) {
		g.Context.Encounter, g.Context.Intent, g.Context.Tenant = "enc-1", "reconcile", "north"
		g.Context.FHIRContext = []oauth.ContextRef{{Reference: "ImagingStudy/1", Type: "ImagingStudy"}}
		g.Context.StyleURL = "https://app.example/style.json"
	})
	for _, token := range []string{a.str("access_token"), a.str("refresh_token")} {
		i := w.introspect(token)
		if i.body["active"] != true || i.body["client_id"] != "web" || i.body["sub"] != "person-rosa" || i.body["iss"] != w.site.Issuer ||
			i.body["fhirUser"] != w.site.FHIRBase+"/Patient/rosa" || i.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s", i.raw)
		}
		for _, name := range []string{"scope", "patient", "encounter", "intent", "tenant", "need_patient_banner", "smart_style_url"} {
			if i.body[name] == nil || i.body[name] != a.body[name] {
				t.Errorf("%s: %v, token response %v", name, i.body[name], a.body[name])
			}
		}
		if list, _ := i.body["fhirContext"].([]any); len(list) != 1 {
			t.Errorf("fhirContext: %s", i.raw)
		}
	}
	i := w.introspect(a.str("access_token"))
	exp, isNumber := i.body["exp"].(float64)
	left := exp - float64(w.clock.Now().Unix())
	if !isNumber || left > 3600 || left < 3590 || strings.Contains(i.raw, "e+") {
		t.Errorf("exp: %s", i.raw)
	}
	if e := w.events(audit.TokenIntrospected); len(e) != 3 || e[0].ClientID != "auditor" || e[0].Patient != "rosa" || e[0].TokenID == "" {
		t.Errorf("events: %+v", e)
	}
}

// SMART INT-07, INT-11, US-03: whatever makes a token dead makes it inactive
// at once, and an inactive answer says nothing else.
func TestIntrospectionIsLive(t *testing.T) {
	w := newWorld(t)
	for name, end := range map[string]func(a answer){
		"expired":         func(answer) { w.clock.Advance(time.Hour) },
		"person disabled": func(answer) { w.disabled["person-rosa"] = true },
		"client disabled": func(answer) { w.change("web", func(c *oauth.Client) { c.Disabled = true }) },
		"client epoch":    func(answer) { w.change("web", func(c *oauth.Client) { c.Epoch++ }) },
		"consent withdrawn": func(answer) {
			w.denied = denied()
		},
	} {
		a, _ := w.exchange(func(g *oauth.Grant) { g.Capacity.Kind = fhir.CapacityDesignatedProxy })
		if !w.active(a.str("access_token")) {
			t.Fatalf("%s: not active before", name)
		}
		end(a)
		if i := w.introspect(a.str("access_token")); strings.TrimSpace(i.raw) != `{"active":false}` || i.status != 200 {
			t.Errorf("%s: %s", name, i.raw)
		}
		w.denied, w.disabled = nil, map[string]bool{}
		w.change("web", func(c *oauth.Client) { c.Disabled = false })
	}
	for _, garbage := range []string{"x", "a.b.c", strings.Repeat("x", 5000)} {
		if i := w.introspect(garbage); strings.TrimSpace(i.raw) != `{"active":false}` || i.status != 200 {
			t.Errorf("%s: %s", garbage, i.raw)
		}
	}
	a, _ := w.exchange(func(g *oauth.Grant) { g.Capacity.Kind = fhir.CapacityDesignatedProxy })
	w.narrowed = "patient/Patient.r"
	if i := w.introspect(a.str("access_token")); i.body["scope"] != w.narrowed {
		t.Errorf("narrowed by consent: %s", i.raw)
	}
}

// SMART INT-08…INT-10: who may ask.
func TestIntrospectionAccess(t *testing.T) {
	w := newWorld(t)
	a, _ := w.exchange(nil)
	form := url.Values{"token": {a.str("access_token")}}
	w.expect("nobody", w.request("/introspect", form), 401, "invalid_client")
	w.expect("public client", w.request("/introspect", with(form, "client_id", "public")), 401, "invalid_client")
	w.expect("wrong secret", w.request("/introspect", form, basic("web", "x")), 401, "invalid_client")
	w.expect("no token", w.request("/introspect", url.Values{"x": {"y"}}, basic("web", secretA)), 400, "invalid_request")
	if i := w.request("/introspect", form, basic("web", secretA)); i.body["active"] != true {
		t.Errorf("own token: %s", i.raw)
	}
	if i := w.request("/introspect", form, basic("other", secretB)); strings.TrimSpace(i.raw) != `{"active":false}` {
		t.Errorf("token of another: %s", i.raw)
	}
	bearer := w.request("/token", asserted(backendForm("system/Patient.rs"), w.assertion("auditor", "es", nil)))
	if i := w.request("/introspect", form, header("Authorization", "Bearer "+bearer.str("access_token"))); i.body["active"] != true {
		t.Errorf("by bearer token: %s", i.raw)
	}
	i := w.request("/introspect", form, header("Authorization", "Bearer "+a.str("access_token")))
	if i.status != 403 {
		t.Errorf("bearer without the right: %d %s", i.status, i.raw)
	}
	i = w.request("/introspect", form, header("Authorization", "Bearer x"))
	if i.status != 401 || !strings.HasPrefix(i.header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("bad bearer: %d %v", i.status, i.header)
	}
	assertion := w.assertion("auditor", "es", nil)
	first := w.request("/introspect", asserted(with(form), assertion))
	if first.body["active"] != true {
		t.Errorf("by assertion: %s", first.raw)
	}
	w.expect("assertion again", w.request("/introspect", asserted(with(form), assertion)), 401, "invalid_client")
	if n := len(w.events(audit.TokenRefused)); n != 7 {
		t.Errorf("%d refused callers were recorded", n)
	}
	// D8: an introspection that cannot be recorded is refused.
	w.store.fail = errs.New(errs.Unavailable, "store", "Down.")
	w.expect("no audit", w.request("/introspect", form, basic("web", secretA)), 503, "temporarily_unavailable")
}

// SMART REV-01, REV-02: revoking an access token ends it alone, revoking a
// refresh token ends the grant, whatever the hint says; unknown tokens are no
// error; a token of another client stays.
func TestRevocation(t *testing.T) {
	w := newWorld(t)
	a, g := w.exchange(nil)
	revoke := func(token string, auth func(*http.Request), more ...string) answer {
		return w.request("/revoke", with(url.Values{"token": {token}}, more...), auth)
	}
	own, other := basic("web", secretA), basic("other", secretB)
	w.expect("of another client", revoke(a.str("access_token"), other), 400, "unauthorized_client")
	w.expect("of another client", revoke(a.str("refresh_token"), other), 400, "unauthorized_client")
	if !w.active(a.str("access_token")) || !w.active(a.str("refresh_token")) {
		t.Fatal("a stranger revoked")
	}
	if r := revoke(a.str("access_token"), own, "token_type_hint", "refresh_token"); r.status != 200 || r.raw != "" {
		t.Errorf("%d %s", r.status, r.raw)
	}
	if w.active(a.str("access_token")) || !w.active(a.str("refresh_token")) {
		t.Error("an access token is revoked alone")
	}
	b := w.refresh(a.str("refresh_token"))
	if r := revoke(b.str("refresh_token"), own, "token_type_hint", "access_token"); r.status != 200 {
		t.Errorf("%d %s", r.status, r.raw)
	}
	if w.active(b.str("access_token")) || w.active(b.str("refresh_token")) {
		t.Error("a refresh token is revoked with its grant")
	}
	w.ended(g, "revoked-by-client")
	w.expect("refresh", w.refresh(b.str("refresh_token")), 400, "invalid_grant")
	for _, token := range []string{"unknown", b.str("access_token"), b.str("refresh_token")} {
		if r := revoke(token, own); r.status != 200 {
			t.Errorf("unknown or dead: %d %s", r.status, r.raw)
		}
	}
	c, _ := w.exchange(nil)
	d := w.refresh(c.str("refresh_token"))
	if revoke(c.str("refresh_token"), own); w.active(d.str("access_token")) {
		t.Error("a rotated refresh token did not end its grant")
	}
	w.expect("wrong secret", revoke("x", basic("web", "x")), 401, "invalid_client")
	w.expect("no token", w.request("/revoke", url.Values{"a": {"b"}}, own), 400, "invalid_request")
	revoked := 0
	for _, e := range w.events(audit.TokenRevoked) {
		if e.Outcome == audit.Success && e.GrantID != "" {
			revoked++
		}
	}
	if revoked != 3 {
		t.Errorf("%d revocations were recorded", revoked)
	}
}

// SMART CORS-02, CORS-03: only the client's own origins read token answers,
// changes count at once; the key set is open to all.
func TestCORS(t *testing.T) {
	w := newWorld(t)
	origin := header("Origin", "https://app.example")
	const allow = "Access-Control-Allow-Origin"
	a := w.request("/token", codeForm(w.code(w.grantOf("public")), "client_id", "public"), origin)
	if a.status != 200 || a.header.Get(allow) != "https://app.example" || a.header.Get("Access-Control-Allow-Credentials") != "" || a.header.Get("Vary") != "Origin" {
		t.Errorf("%d %v", a.status, a.header)
	}
	a = w.request("/token", codeForm("x", "client_id", "public"), header("Origin", "https://evil.example"))
	if a.header.Get(allow) != "" {
		t.Error("a foreign origin may read")
	}
	preflight := func(origin string) http.Header {
		r, _ := http.NewRequest(http.MethodOptions, w.url+"/token", nil)
		if origin != "" {
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", "POST")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.Header
	}
	if h := preflight(""); h.Get(allow) != "" || w.store.listed != 0 {
		t.Errorf("no browser asks, and all clients were read %d times: %v", w.store.listed, h)
	}
	h := preflight("https://app.example")
	if h.Get(allow) != "https://app.example" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") {
		t.Errorf("%v", h)
	}
	if h := preflight("https://evil.example"); h.Get(allow) != "" {
		t.Errorf("%v", h)
	}
	for _, id := range []string{"public", "web", "other", "keyed"} {
		w.change(id, func(c *oauth.Client) { c.AllowedOrigins = []string{"https://new.example"} })
	}
	if preflight("https://app.example").Get(allow) != "" || preflight("https://new.example").Get(allow) == "" {
		t.Error("the change did not count at once")
	}
}

// SMART OID-03: bare RSA and EC keys, open to every origin.
func TestKeySet(t *testing.T) {
	w := newWorld(t)
	resp, err := http.Get(w.url + "/jwks")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	if resp.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(string(raw), `"kty":"RSA"`) || !strings.Contains(string(raw), `"kty":"EC"`) || strings.Contains(string(raw), `"d":`) {
		t.Errorf("%v %s", resp.Header, raw)
	}
	r, _ := http.NewRequest(http.MethodGet, w.url+"/jwks", nil)
	r.Header.Set("If-None-Match", resp.Header.Get("ETag"))
	if again, err := http.DefaultClient.Do(r); err != nil || again.StatusCode != http.StatusNotModified {
		t.Errorf("not modified: %v %v", again, err)
	}
	w.expect("POST", w.request("/jwks", url.Values{"a": {"b"}}), 405, "invalid_request")
}
