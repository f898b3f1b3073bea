package protocol_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// SMART BKS-01…BKS-05, TOK-05…TOK-09, ASY-01, ASY-02: a backend service gets
// a token by RS384 and by ES384.
func TestBackendServiceGetsToken(t *testing.T) {
	w := newWorld(t)
	for _, kid := range []string{"rs", "es"} {
		a := w.request("/token", asserted(backendForm("system/Patient.rs"), w.assertion("backend", kid, nil)))
		if a.status != 200 || a.body["token_type"] != "Bearer" || a.body["expires_in"] != 300.0 || a.body["scope"] != "system/Patient.rs" {
			t.Fatalf("%s: %d %s", kid, a.status, a.raw)
		}
		if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" || a.body["refresh_token"] != nil {
			t.Errorf("%s: %v %s", kid, a.header, a.raw)
		}
		h, c := claims(t, a.str("access_token"))
		if h["typ"] != "at+jwt" || h["alg"] != "ES256" || c["sub"] != "backend" || c["aud"] != w.site.FHIRBase || c["grant"] != nil {
			t.Errorf("%s: %v %v", kid, h, c)
		}
		if !w.active(a.str("access_token")) {
			t.Error("the token is not active")
		}
	}
	if e := w.events(audit.TokenIssued); len(e) != 2 || e[0].ClientID != "backend" || e[0].TokenID == "" || e[0].Detail["method"] != "private_key_jwt" || e[0].Capacity.Kind != fhir.CapacitySystem {
		t.Errorf("events: %+v", e)
	}
}

// SMART BKS-02, SCP-27: the registration is the ceiling, told literally.
func TestBackendScopes(t *testing.T) {
	w := newWorld(t)
	for asked, want := range map[string]string{
		"system/Observation.read system/Patient.rs":                   "system/Observation.read system/Patient.rs",
		"system/Patient.rs system/Patient.rs":                         "system/Patient.rs",
		"system/*.read":                                               "system/Patient.rs system/Observation.read",
		"system/Patient.cruds":                                        "system/Patient.rs",
		"system/Patient.r system/Foo.rs unknown":                      "system/Patient.r",
		"system/Patient.rs user/Patient.rs patient/Patient.rs openid": "system/Patient.rs",
		"system/Observation.rs?category=laboratory launch/patient":    "system/Observation.rs?category=laboratory",
		"system/Condition.rs":                                         "",
		"user/Patient.rs":                                             "",
		"system/Patient.cud":                                          "",
		"":                                                            "",
	} {
		a := w.request("/token", asserted(backendForm(asked), w.assertion("backend", "es", nil)))
		if want == "" {
			w.expect(asked, a, 400, "invalid_scope")
		} else if a.status != 200 || a.body["scope"] != want {
			t.Errorf("%s: %d %s", asked, a.status, a.raw)
		}
	}
}

// SMART TOK-02, TOK-05…TOK-10, CTX-01, CTX-10, OID-01…OID-09: a public client
// exchanges its code and gets everything beside the access token.
func TestCodeExchange(t *testing.T) {
	w := newWorld(t)
	g := w.grantOf("public")
	a := w.request("/token", codeForm(w.code(g), "client_id", "public"))
	if a.status != 200 || a.body["expires_in"] != 3600.0 || a.body["scope"] != g.Scopes || a.body["patient"] != "rosa" || a.body["need_patient_banner"] != true {
		t.Fatalf("%d %s", a.status, a.raw)
	}
	if len(a.str("refresh_token")) != 86 {
		t.Errorf("refresh token %q", a.str("refresh_token"))
	}
	_, at := claims(t, a.str("access_token"))
	if at["sub"] != "person-rosa" || at["grant"] != g.ID || at["patient"] != "rosa" || at["client_id"] != "public" || at["need_patient_banner"] != nil {
		t.Errorf("access token: %v", at)
	}
	h, id := claims(t, a.str("id_token"))
	if h["alg"] != "RS256" || h["kid"] == "" || id["aud"] != "public" || id["nonce"] != "n-1" || id["fhirUser"] != w.site.FHIRBase+"/Patient/rosa" ||
		id["iss"] != w.site.Issuer || id["sub"] != "person-rosa" || id["acr"] != "urn:mandate:aal:2" || id["auth_time"] != float64(g.AuthTime.Unix()) || id["at_hash"] == nil {
		t.Errorf("id_token: %v %v", h, id)
	}
	if _, err := w.ring.Verify(t.Context(), tenant, "id-token", "JWT", a.str("id_token")); err != nil {
		t.Error(err)
	}
	e := w.events(audit.TokenIssued)
	if len(e) != 1 || e[0].GrantID != g.ID || e[0].Patient != "rosa" || e[0].PersonID != "person-rosa" || e[0].Capacity.Purpose != "PATRQT" {
		t.Errorf("events: %+v", e)
	}
}

// SMART AZ-15, PKCE-02…PKCE-05, TOK-02, TOK-03: what makes a code useless,
// for every kind of client. The code itself stays redeemable.
func TestCodeExchangeRefusals(t *testing.T) {
	w := newWorld(t)
	cases := []struct {
		name   string
		form   []string
		status int
		code   string
	}{
		{"no code", []string{"code", ""}, 400, "invalid_request"},
		{"unknown code", []string{"code", "x"}, 400, "invalid_grant"},
		{"no redirect_uri", []string{"redirect_uri", ""}, 400, "invalid_request"},
		{"other redirect_uri", []string{"redirect_uri", "https://app.example/cb2"}, 400, "invalid_grant"},
		{"no verifier", []string{"code_verifier", ""}, 400, "invalid_grant"},
		{"wrong verifier", []string{"code_verifier", strings.Repeat("a", 43)}, 400, "invalid_grant"},
		{"verifier is the challenge", []string{"code_verifier", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, 400, "invalid_grant"},
		{"short verifier", []string{"code_verifier", strings.Repeat("a", 42)}, 400, "invalid_grant"},
		{"long verifier", []string{"code_verifier", strings.Repeat("a", 129)}, 400, "invalid_grant"},
		{"verifier with =", []string{"code_verifier", strings.Repeat("a", 43) + "="}, 400, "invalid_grant"},
		{"other grant type", []string{"grant_type", "password"}, 400, "unsupported_grant_type"},
		{"no grant type", []string{"grant_type", ""}, 400, "invalid_request"},
	}
	for _, client := range []string{"public", "web"} {
		auth := func(*http.Request) {}
		named := []string{"client_id", "public"}
		if client == "web" {
			auth, named = basic("web", secretA), nil
		}
		code := w.code(w.grantOf(client))
		for _, c := range cases {
			w.expect(client+" "+c.name, w.request("/token", with(codeForm(code, named...), c.form...), auth), c.status, c.code)
		}
		if a := w.request("/token", codeForm(code, named...), auth); a.status != 200 {
			t.Errorf("%s: the code was spent by refusals: %s", client, a.raw)
		}
	}
	code := w.code(w.grantOf("web"))
	w.expect("another client", w.request("/token", codeForm(code), basic("other", secretB)), 400, "invalid_grant")
	w.expect("client_id of another", w.request("/token", codeForm(code, "client_id", "other"), basic("web", secretA)), 401, "invalid_client")
	w.clock.Advance(60 * time.Second)
	w.expect("after a minute", w.request("/token", codeForm(code), basic("web", secretA)), 400, "invalid_grant")
	reasons := map[string]int{}
	for _, e := range w.events(audit.TokenRefused) {
		reasons[e.Reason]++
	}
	if !maps.Equal(reasons, map[string]int{
		"parameter-missing": 6, "code-unknown": 3, "redirect-uri-mismatch": 2, "verifier-missing": 2, "verifier-mismatch": 4,
		"verifier-malformed": 6, "grant-type-unsupported": 2, "client-id-mismatch": 1, "code-expired": 1,
	}) {
		t.Errorf("recorded: %v", reasons)
	}
}

// SMART AZ-16: a second use of a code is refused and ends what the first use
// gave.
func TestCodeReplayEndsGrant(t *testing.T) {
	w := newWorld(t)
	g := w.grantOf("public")
	form := codeForm(w.code(g), "client_id", "public")
	first := w.request("/token", form)
	if !w.active(first.str("access_token")) || !w.active(first.str("refresh_token")) {
		t.Fatal("the tokens are not active")
	}
	stranger := with(codeForm(form.Get("code")), "client_id", "")
	w.expect("by a stranger", w.request("/token", stranger, basic("other", secretB)), 400, "invalid_grant")
	if !w.active(first.str("access_token")) {
		t.Error("a stranger ended the grant")
	}
	w.expect("replay", w.request("/token", form), 400, "invalid_grant")
	for _, token := range []string{first.str("access_token"), first.str("refresh_token")} {
		if a := w.introspect(token); strings.TrimSpace(a.raw) != `{"active":false}` {
			t.Errorf("after the replay: %s", a.raw)
		}
	}
	w.expect("refresh", w.request("/token", refreshForm(first.str("refresh_token"), "client_id", "public")), 400, "invalid_grant")
	if e := w.events(audit.TokenReplayed); len(e) != 1 || e[0].GrantID != g.ID || e[0].Reason != "code-replayed" {
		t.Errorf("events: %+v", e)
	}
	w.ended(g, "code-replayed")
}

// SMART AZ-16: of twenty parallel redemptions one succeeds.
func TestParallelRedemption(t *testing.T) {
	w := newWorld(t)
	form := codeForm(w.code(w.grantOf("public")), "client_id", "public")
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for range 20 {
		wg.Go(func() {
			a := w.request("/token", form)
			mu.Lock()
			defer mu.Unlock()
			count[a.status]++
		})
	}
	wg.Wait()
	if count[200] != 1 || count[400] != 19 {
		t.Errorf("%v", count)
	}
}

// SMART TOK-01, TOK-14, AZ-14: only one way to send a token request.
func TestTokenRequestForm(t *testing.T) {
	w := newWorld(t)
	form := codeForm("x", "client_id", "public")
	for name, a := range map[string]answer{
		"repeated parameter": w.request("/token", url.Values{"grant_type": {"authorization_code"}, "code": {"a", "b"}, "client_id": {"public"}}),
		"parameters in URL":  w.request("/token?code=x", form),
		"JSON":               w.request("/token", form, header("Content-Type", "application/json")),
		"control character":  w.request("/token", with(form, "scope", "a\x00b")),
	} {
		w.expect(name, a, 400, "invalid_request")
	}
	w.expect("too large", w.request("/token", with(form, "scope", strings.Repeat("a", 70<<10))), 413, "invalid_request")
	a := w.request("/token", form, func(r *http.Request) { r.Method, r.Body, r.ContentLength = http.MethodGet, nil, 0 })
	w.expect("GET", a, 405, "invalid_request")
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Allow") == "" || !strings.Contains(a.str("error_uri"), "/docs/errors/") {
		t.Errorf("%v %s", a.header, a.raw)
	}
	// RFC 6749 §3.2: a parameter without a value is as if left out.
	a = w.request("/token", url.Values{"grant_type": {"authorization_code"}, "code": {w.code(w.grantOf("public"))}, "client_id": {"public"},
		"redirect_uri": {"https://app.example/cb"}, "code_verifier": {verifier}, "client_secret": {""}, "scope": {""}, "foo": {"1"}})
	if a.status != 200 {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

// SMART TOK-11, SCP-22, OID-01, OID-08: lives and companions follow the grant.
func TestTokensFollowTheGrant(t *testing.T) {
	w := newWorld(t)
	exchange := func(edit func(g *oauth.Grant)) answer {
		g := w.grantOf("public")
		edit(&g)
		return w.request("/token", codeForm(w.code(g), "client_id", "public"))
	}
	a := exchange(func(g *oauth.Grant) { g.Offline = false; g.Scopes = "patient/Patient.rs" })
	if a.status != 200 || a.body["refresh_token"] != nil || a.body["id_token"] != nil {
		t.Errorf("no refresh token, no id_token: %s", a.raw)
	}
	a = exchange(func(g *oauth.Grant) {
		g.Capacity.Kind, g.Capacity.Acting = fhir.CapacityDesignatedProxy, fhir.Reference{Type: "RelatedPerson", ID: "ana"}
	})
	_, id := claims(t, a.str("id_token"))
	if a.body["expires_in"] != 300.0 || id["fhirUser"] != w.site.FHIRBase+"/RelatedPerson/ana" {
		t.Errorf("proxy: %s %v", a.raw, id)
	}
	a = exchange(func(g *oauth.Grant) { g.Ends = w.clock.Now().Add(100 * time.Second) })
	if in, _ := a.body["expires_in"].(float64); in < 98 || in > 100 {
		t.Errorf("the grant ends sooner: %s", a.raw)
	}
	w.until = w.clock.Now().Add(50 * time.Second)
	a = exchange(func(*oauth.Grant) {})
	if in, _ := a.body["expires_in"].(float64); in < 48 || in > 50 {
		t.Errorf("the consent ends sooner: %s", a.raw)
	}
	w.until = time.Time{}
	w.expect("ended", exchange(func(g *oauth.Grant) { g.Ends = w.clock.Now() }), 400, "invalid_grant")
	w.disabled["person-rosa"] = true
	w.expect("disabled person", exchange(func(*oauth.Grant) {}), 400, "invalid_grant")
}

// D8: no event, no act; a store that is down is no false refusal.
func TestStoreDown(t *testing.T) {
	w := newWorld(t)
	form := codeForm(w.code(w.grantOf("public")), "client_id", "public")
	w.store.fail = errs.New(errs.Unavailable, "store", "The store is down.")
	for name, f := range map[string]url.Values{"good": form, "bad": codeForm("x", "client_id", "public")} {
		a := w.request("/token", f)
		w.expect(name, a, 503, "temporarily_unavailable")
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	w.store.fail = nil
	if a := w.request("/token", form); a.status != 200 {
		t.Errorf("the code was lost: %s", a.raw)
	}
}

// D1, D16: only our clock decides; a server whose clock is years away from the
// machine's works alike.
func TestOnlyOurClockCounts(t *testing.T) {
	for _, years := range []int{-20, 20} {
		w := newWorld(t)
		w.clock.Advance(time.Duration(years) * 365 * 24 * time.Hour)
		a, _ := w.exchange(nil)
		if a.body["expires_in"] != 3600.0 || a.str("id_token") == "" || !w.active(a.str("access_token")) {
			t.Fatalf("%d years: %s", years, a.raw)
		}
		_, at := claims(t, a.str("access_token"))
		if at["iat"] != float64(w.clock.Now().Unix()) && at["iat"] != float64(w.clock.Now().Unix()-1) {
			t.Errorf("%d years: issued at %v", years, at["iat"])
		}
		if b := w.refresh(a.str("refresh_token")); b.status != 200 {
			t.Errorf("%d years: %s", years, b.raw)
		}
		w.clock.Advance(time.Hour)
		if w.active(a.str("access_token")) {
			t.Errorf("%d years: the token outlives its hour", years)
		}
	}
}
