package protocol_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/limit"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
)

// SMART SYM-01, TOK-02: a secret works by Basic, form-encoded or not, and in
// the body; an older secret works during rotation.
func TestSecrets(t *testing.T) {
	w := newWorld(t)
	for name, send := range map[string]func(url.Values) answer{
		"encoded": func(f url.Values) answer { return w.request("/token", f, basic("web", secretA)) },
		"not encoded": func(f url.Values) answer {
			return w.request("/token", f, func(r *http.Request) { r.SetBasicAuth("web", secretA) })
		},
		"older": func(f url.Values) answer { return w.request("/token", f, basic("web", "an-older-secret")) },
		"post": func(f url.Values) answer {
			return w.request("/token", with(f, "client_id", "web", "client_secret", secretA))
		},
	} {
		if a := send(codeForm(w.code(w.grantOf("web")))); a.status != 200 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	// A public client may send its name as Basic without a secret.
	if a := w.request("/token", codeForm(w.code(w.grantOf("public"))), basic("public", "")); a.status != 200 {
		t.Errorf("public by Basic: %s", a.raw)
	}
}

// SE-03: a secret that is presented takes the form of the newest hash key in the
// transaction of the request, whatever its answer, so that the older key may go;
// a secret that nobody presents keeps its form.
func TestSecretsAreHashedAnewAtUse(t *testing.T) {
	use := map[string]func(w *world) answer{
		"token": func(w *world) answer {
			return w.request("/token", codeForm(w.code(w.grantOf("web"))), basic("web", secretA))
		},
		"refused": func(w *world) answer {
			return w.request("/token", url.Values{"grant_type": {"none"}}, basic("web", secretA))
		},
		"introspect": func(w *world) answer {
			return w.request("/introspect", url.Values{"token": {"x"}}, basic("web", secretA))
		},
		"revoke": func(w *world) answer { return w.request("/revoke", url.Values{"token": {"x"}}, basic("web", secretA)) },
	}
	for name, act := range use {
		w := newWorld(t)
		forms := func() []string { return w.store.rows.clients[tenant+"web"].SecretHashes }
		before := forms()
		act(w)
		if now := forms(); now[1] != before[1] {
			t.Fatalf("%s: hashed anew under the same key", name)
		}
		custodian := keys.Custodian{Ring: w.ring, Clock: w.clock, Tx: txn.Func[keys.Tx](func(_ context.Context, fn func(keys.Tx) error) error {
			return fn(hashTx{fake: w.store})
		})}
		fresh, err := custodian.RotateSigning(t.Context(), tenant, keys.UseTokenHash, keys.Announce)
		if err != nil {
			t.Fatal(err)
		}
		act(w)
		if now := forms(); now[1] != before[1] {
			t.Errorf("%s: hashed under a key that is only announced", name)
		}
		w.clock.Advance(keys.Announce)
		for range 2 {
			act(w)
			if now := forms(); now[0] != before[0] || !strings.HasPrefix(now[1], fresh.Mark()) || len(now) != 2 {
				t.Errorf("%s: %q is registered, was %q", name, now, before)
			}
		}
		for _, secret := range []string{secretA, "an-older-secret"} {
			if a := w.request("/introspect", url.Values{"token": {"x"}}, basic("web", secret)); a.status != 200 {
				t.Errorf("%s: afterwards %s", name, a.raw)
			}
		}
	}
}

// hashTx is a transaction on the keys of a fake.
type hashTx struct {
	*fake
	keys.Vault
	keys.Resealer
}

func (hashTx) Record(context.Context, keys.Act) error { return nil }

// SMART SYM-02…SYM-05, TOK-03, TOK-14: no failed or doubled authentication
// gets further, and all failures look alike.
func TestClientAuthenticationRefusals(t *testing.T) {
	w := newWorld(t)
	form := codeForm(w.code(w.grantOf("web")))
	for _, c := range []struct {
		name   string
		a      answer
		status int
		code   string
		basic  bool
	}{
		{"wrong secret", w.request("/token", form, basic("web", "x")), 401, "invalid_client", true},
		{"unknown client", w.request("/token", form, basic("nobody", "x")), 401, "invalid_client", true},
		{"no secret", w.request("/token", with(form, "client_id", "web")), 401, "invalid_client", false},
		{"empty secret", w.request("/token", form, basic("web", "")), 401, "invalid_client", true},
		{"nothing", w.request("/token", form), 401, "invalid_client", false},
		{"malformed Basic", w.request("/token", form, header("Authorization", "Basic %%%")), 401, "invalid_client", true},
		{"Bearer", w.request("/token", form, header("Authorization", "Bearer x")), 401, "invalid_client", false},
		{"secret without client", w.request("/token", with(form, "client_secret", secretA)), 401, "invalid_client", false},
		{"Basic and post", w.request("/token", with(form, "client_id", "web", "client_secret", secretA), basic("web", secretA)), 400, "invalid_request", false},
		{"Basic and assertion", w.request("/token", asserted(form, "x"), basic("web", secretA)), 400, "invalid_request", false},
		{"post and assertion", w.request("/token", asserted(with(form, "client_id", "web", "client_secret", secretA), "x")), 400, "invalid_request", false},
		{"body names another", w.request("/token", with(form, "client_id", "other"), basic("web", secretA)), 401, "invalid_client", true},
		{"secret of a public client", w.request("/token", form, basic("public", "x")), 401, "invalid_client", true},
		{"secret of a keyed client", w.request("/token", form, basic("keyed", "x")), 401, "invalid_client", true},
		{"secret for client_credentials", w.request("/token", backendForm("system/Patient.rs"), basic("web", secretA)), 400, "unauthorized_client", false},
		{"public client_credentials", w.request("/token", with(backendForm("system/Patient.rs"), "client_id", "public")), 400, "unauthorized_client", false},
		{"code by a backend", w.request("/token", asserted(with(form), w.assertion("backend", "es", nil))), 400, "unauthorized_client", false},
	} {
		w.expect(c.name, c.a, c.status, c.code)
		if got := strings.HasPrefix(c.a.header.Get("WWW-Authenticate"), "Basic"); got != c.basic {
			t.Errorf("%s: WWW-Authenticate %q", c.name, c.a.header.Get("WWW-Authenticate"))
		}
	}
	w.change("web", func(c *oauth.Client) { c.Disabled = true })
	w.expect("disabled", w.request("/token", form, basic("web", secretA)), 401, "invalid_client")
	for _, e := range w.events(audit.TokenRefused) {
		if e.Reason == "" || strings.Contains(fmt.Sprint(e), secretA) {
			t.Errorf("event: %+v", e)
		}
	}
}

// SMART ASY-02…ASY-09, ASY-15: each fault of an assertion is invalid_client.
func TestAssertionRefusals(t *testing.T) {
	w := newWorld(t)
	in := func(d time.Duration) int64 { return w.clock.Now().Add(d).Unix() }
	type m = map[string]any
	for name, edit := range map[string]func(h, c m){
		"no kid":              func(h, _ m) { delete(h, "kid") },
		"unknown kid":         func(h, _ m) { h["kid"] = "x" },
		"kid of another type": func(h, _ m) { h["kid"] = "rs" },
		"empty typ":           func(h, _ m) { h["typ"] = "" },
		"other typ":           func(h, _ m) { h["typ"] = "at+jwt" },
		"foreign jku":         func(h, _ m) { h["jku"] = "https://evil.example/jwks" },
		"iss is not sub":      func(_, c m) { c["sub"] = "public" },
		"unknown client":      func(_, c m) { c["iss"], c["sub"] = "x", "x" },
		"client with secret":  func(_, c m) { c["iss"], c["sub"] = "web", "web" },
		"no iss":              func(_, c m) { delete(c, "iss") },
		"other aud":           func(_, c m) { c["aud"] = "https://other.example/token" },
		"below the issuer":    func(_, c m) { c["aud"] = w.site.Issuer + "/" },
		"aud with slash":      func(_, c m) { c["aud"] = w.site.TokenURL + "/" },
		"no aud":              func(_, c m) { delete(c, "aud") },
		"no exp":              func(_, c m) { delete(c, "exp") },
		"exp in the past":     func(_, c m) { c["exp"] = in(-time.Second) },
		"exp too far":         func(_, c m) { c["exp"] = in(10 * time.Minute) },
		"exp is text":         func(_, c m) { c["exp"] = "soon" },
		"nbf in the future":   func(_, c m) { c["nbf"] = in(2 * time.Minute) },
		"iat in the future":   func(_, c m) { c["iat"] = in(2 * time.Minute) },
		"no jti":              func(_, c m) { delete(c, "jti") },
		"long jti":            func(_, c m) { c["jti"] = strings.Repeat("j", 300) },
	} {
		a := w.request("/token", asserted(backendForm("system/Patient.rs"), w.assertion("backend", "es", edit)))
		w.expect(name, a, 401, "invalid_client")
	}
	good := w.assertion("backend", "es", nil)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT","kid":"es"}`))
	for name, form := range map[string]url.Values{
		"alg none":        asserted(backendForm("system/Patient.rs"), none+"."+parts[1]+"."),
		"garbage":         asserted(backendForm("system/Patient.rs"), "garbage"),
		"broken":          asserted(backendForm("system/Patient.rs"), parts[0]+"."+parts[1]+".AAAA"),
		"no assertion":    with(asserted(backendForm("system/Patient.rs"), good), "client_assertion", ""),
		"another in body": with(asserted(backendForm("system/Patient.rs"), good), "client_id", "auditor"),
	} {
		w.expect(name, w.request("/token", form), 401, "invalid_client")
	}
	// BKS-06: public kits want 400 for a client_assertion_type that is not
	// offered, as for any unsupported parameter value.
	for _, kind := range []string{"not_an_assertion_type", ""} {
		form := with(asserted(backendForm("system/Patient.rs"), good), "client_assertion_type", kind)
		w.expect("type "+kind, w.request("/token", form), 400, "invalid_request")
	}
	if a := w.request("/token", asserted(backendForm("system/Patient.rs"), good)); a.status != 200 {
		t.Errorf("the assertion was spent by requests that it did not authenticate: %s", a.raw)
	}
}

// SMART ASY-08, ASY-09, D11: what real clients send and must be taken.
func TestAssertionTolerance(t *testing.T) {
	w := newWorld(t)
	type m = map[string]any
	for name, edit := range map[string]func(h, c m){
		"aud in an array": func(_, c m) { c["aud"] = []string{"x", w.site.TokenURL} },
		// What openid-client and oauth4webapi send.
		"general client":   func(h, c m) { delete(h, "typ"); c["aud"] = w.site.Issuer },
		"iat a bit ahead":  func(_, c m) { c["iat"] = w.clock.Now().Add(30 * time.Second).Unix() },
		"clock a bit fast": func(_, c m) { c["exp"] = w.clock.Now().Add(5*time.Minute + 50*time.Second).Unix() },
	} {
		if a := w.request("/token", asserted(backendForm("system/Patient.rs"), w.assertion("backend", "rs", edit))); a.status != 200 {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
}

// SMART ASY-10: an assertion works once, also for twenty at a time and also
// when its first request was refused; the same jti of another client is
// another one.
func TestAssertionIsSingleUse(t *testing.T) {
	w := newWorld(t)
	fixed := func(id string) string {
		return w.assertion(id, "es", func(_, c map[string]any) { c["jti"] = "one" })
	}
	form := asserted(backendForm("system/Patient.rs"), fixed("backend"))
	var wg sync.WaitGroup
	var good atomic.Int32
	for range 20 {
		wg.Go(func() {
			if a := w.request("/token", form); a.status == 200 {
				good.Add(1)
			} else {
				w.expect("replay", a, 401, "invalid_client")
			}
		})
	}
	wg.Wait()
	if good.Load() != 1 {
		t.Errorf("%d requests succeeded", good.Load())
	}
	if a := w.request("/token", asserted(backendForm("system/Patient.rs"), fixed("auditor"))); a.status != 200 {
		t.Errorf("same jti of another client: %s", a.raw)
	}
	refused := asserted(backendForm("system/Condition.rs"), w.assertion("backend", "es", nil))
	w.expect("first", w.request("/token", refused), 400, "invalid_scope")
	w.expect("again", w.request("/token", refused), 401, "invalid_client")
}

// SMART SYM-02: a secret gives client_credentials to no client but the one whose
// registration says so, and to that one nothing else.
func TestSecretForItself(t *testing.T) {
	w := newWorld(t)
	form := backendForm("system/Patient.rs")
	a := w.request("/token", form, basic("legacy", secretB))
	if a.status != 200 || a.str("scope") != "system/Patient.rs" || a.str("refresh_token") != "" {
		t.Fatal(a.raw)
	}
	w.expect("wrong secret", w.request("/token", form, basic("legacy", "x")), 401, "invalid_client")
	w.expect("another client", w.request("/token", form, basic("web", secretA)), 400, "unauthorized_client")
	w.expect("a code", w.request("/token", codeForm(w.code(w.grantOf("legacy"))), basic("legacy", secretB)), 400, "unauthorized_client")
	w.change("legacy", func(c *oauth.Client) { c.SecretForItself = false })
	w.expect("switched off", w.request("/token", form, basic("legacy", secretB)), 400, "unauthorized_client")
}

// SMART ASY-01: an asymmetric client names itself only by its assertion, for
// code and refresh alike; it gets an id_token at refresh when registered so.
func TestAsymmetricClient(t *testing.T) {
	w := newWorld(t)
	a := w.request("/token", asserted(codeForm(w.code(w.grantOf("keyed"))), w.assertion("keyed", "rs", nil)))
	if a.status != 200 {
		t.Fatal(a.raw)
	}
	b := w.request("/token", asserted(refreshForm(a.str("refresh_token")), w.assertion("keyed", "es", nil)))
	if b.status != 200 || b.str("id_token") == "" {
		t.Fatal(b.raw)
	}
	// SMART REF-12
	_, first := claims(t, a.str("id_token"))
	_, second := claims(t, b.str("id_token"))
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "fhirUser"} {
		if first[name] != second[name] {
			t.Errorf("%s changed: %v %v", name, first[name], second[name])
		}
	}
	w.expect("two keys of one kid", func() answer {
		w.change("keyed", func(c *oauth.Client) {
			c.JWKS = []byte(strings.Replace(string(c.JWKS), `{"keys":[`, `{"keys":[`+oneKey(string(c.JWKS))+",", 1))
		})
		return w.request("/token", asserted(refreshForm(b.str("refresh_token")), w.assertion("keyed", "es", nil)))
	}(), 401, "invalid_client")
}

// oneKey cuts the EC key out of a key set.
func oneKey(set string) string {
	i := strings.Index(set, `{"crv":`)
	return set[i : i+strings.Index(set[i:], "}")+1]
}

// SMART REG-04, ASY-04, ASY-12…ASY-14: keys by URL, fetched within the
// answer's Cache-Control, with few fetches for unknown kids; jku may repeat
// the registered URL.
func TestKeysByURL(t *testing.T) {
	w := newWorld(t)
	var fetches atomic.Int32
	var control atomic.Value
	control.Store("max-age=60")
	host := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		rw.Header().Set("Cache-Control", control.Load().(string))
		_, _ = rw.Write(publicSet(t))
	}))
	defer host.Close()
	w.change("backend", func(c *oauth.Client) { c.JWKS, c.JWKSURI = nil, host.URL+"/jwks" })
	try := func(edit func(h, c map[string]any)) answer {
		return w.request("/token", asserted(backendForm("system/Patient.rs"), w.assertion("backend", "es", edit)))
	}
	counted := func(name string, want int32) {
		t.Helper()
		if got := fetches.Swap(0); got != want {
			t.Errorf("%s: %d fetches, want %d", name, got, want)
		}
	}
	for range 3 {
		if a := try(func(h, _ map[string]any) { h["jku"] = host.URL + "/jwks" }); a.status != 200 {
			t.Fatal(a.raw)
		}
	}
	counted("within max-age", 1)
	w.clock.Advance(61 * time.Second)
	try(nil)
	counted("after max-age", 1)
	for i := range 100 {
		w.expect("bad kid", try(func(h, _ map[string]any) { h["kid"] = fmt.Sprint("bad-", i) }), 401, "invalid_client")
	}
	counted("unknown kids", 1)
	control.Store("no-store")
	w.clock.Advance(61 * time.Second)
	for range 3 {
		try(nil)
	}
	counted("no-store", 3)
	w.expect("foreign jku", try(func(h, _ map[string]any) { h["jku"] = host.URL + "/other" }), 401, "invalid_client")
	counted("foreign jku", 0)
	if clientauth.AssertionType != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Error("the assertion type changed")
	}
}

// SE-15: a client that asks too often is told when to come back. It was
// authenticated first, so nobody can use up another's share, and the refusal
// writes nothing.
func TestClientLimit(t *testing.T) {
	w := newWorld(t)
	w.store.over = errs.Wrap(&limit.Exceeded{Class: "client", Rule: limit.PerSecond(5), After: 1500 * time.Millisecond}, errs.RateLimited, "too-many-requests", "Wait.")
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
	w.expect("wrong secret", w.request("/token", form, basic("web", "x")), 401, "invalid_client")
	before := len(w.store.rows.events)
	a := w.request("/token", form, basic("web", secretA))
	w.expect("over", a, 429, "slow_down")
	if got := a.header.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After: %q", got)
	}
	if policy, state := a.header.Get("RateLimit-Policy"), a.header.Get("RateLimit"); policy != `"client";q=10;w=2` || state != `"client";r=0;t=2` {
		t.Errorf("RateLimit-Policy: %s, RateLimit: %s", policy, state)
	}
	if len(w.store.rows.events) != before {
		t.Error("the refusal was written")
	}
	w.expect("a public client, who is only named", w.request("/token", with(form, "client_id", "public")), 400, "invalid_grant")
}
