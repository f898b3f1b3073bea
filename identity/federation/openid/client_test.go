package openid

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/identity/federation"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// plainly keeps attempts without a seal.
type plainly struct{}

func (plainly) Seal(_ context.Context, v any) (string, error) {
	raw, err := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(raw), err
}

func (plainly) Open(_ context.Context, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, errs.New(errs.Unauthenticated, "token-invalid", "It was not sealed here.")
	}
	return raw, nil
}

// world is a provider that can be told to lie, and the client that asks it.
type world struct {
	*Client
	t      *testing.T
	clock  *clock.Movable
	key    *ecdsa.PrivateKey
	server *httptest.Server
	// bend changes the claims of tokens, metadata those of the configuration; form is
	// what the token endpoint got.
	bend     func(map[string]any)
	metadata func(map[string]any)
	signer   *ecdsa.PrivateKey
	nonce    string
	// challenge is that of the last attempt.
	challenge string
	form      url.Values
	down      bool
}

// Set implements Keys.
func (w *world) Set(context.Context, string, string) ([]jose.JSONWebKey, error) {
	return []jose.JSONWebKey{{Key: w.key.Public(), KeyID: "k", Use: "sig", Algorithm: "ES256"}}, nil
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: &clock.Movable{}, key: newKey(t), bend: func(map[string]any) {}, metadata: func(map[string]any) {}}
	w.signer = w.key
	w.server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.server.Close)
	w.Client = New(Deps{
		Provider: Provider{Provider: federation.Provider{ID: "ehr"}, Issuer: w.server.URL, ClientID: "me", Auth: PrivateKeyJWT, Key: newKey(t), KeyID: "mine"},
		Callback: "https://here.example/back", HTTP: w.server.Client(), Keys: w, Sealer: plainly{}, Clock: w.clock, Development: true,
	})
	return w
}

func (w *world) serve(out http.ResponseWriter, r *http.Request) {
	if w.down {
		out.WriteHeader(http.StatusBadGateway)
		return
	}
	answer := map[string]any{}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{
			"issuer": w.server.URL, "authorization_endpoint": w.server.URL + "/authorize", "token_endpoint": w.server.URL + "/token", "jwks_uri": w.server.URL + "/jwks",
		}
		w.metadata(answer)
	case "/token":
		_ = r.ParseForm()
		w.form = r.PostForm
		answer["id_token"] = w.sign(map[string]any{"sub": "rosa", "nonce": w.nonce, "exp": w.clock.Now().Add(time.Minute).Unix(), "mrn": "7"})
	}
	_ = json.NewEncoder(out).Encode(answer)
}

func (w *world) sign(claims map[string]any) string {
	w.t.Helper()
	for k, v := range map[string]any{"iss": w.server.URL, "aud": "me", "iat": w.clock.Now().Unix()} {
		claims[k] = v
	}
	w.bend(claims)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: w.signer, KeyID: "k"}}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	compact, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		w.t.Fatal(err)
	}
	return compact
}

// away begins an attempt of a browser and gives its state.
func (w *world) away() string {
	w.t.Helper()
	to, err := w.Begin(w.t.Context(), federation.Trip{Browser: "b1", Next: "/apps"}, false)
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		w.t.Fatal(err)
	}
	q := u.Query()
	w.nonce, w.challenge = q.Get("nonce"), q.Get("code_challenge")
	if q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != "https://here.example/back" || q.Get("response_type") != "code" || len(w.nonce) < 40 {
		w.t.Errorf("asked %v", q)
	}
	return q.Get("state")
}

// NI-14: the code goes to the provider with the verifier and a proof of ourselves;
// what comes back is who signed in.
func TestSomebodyComesBack(t *testing.T) {
	w := newWorld(t)
	got, err := w.Finish(t.Context(), Returned{State: w.away(), Code: "c", Issuer: w.server.URL}, "b1")
	if err != nil || got.Subject != "rosa" || got.Next != "/apps" || got.One("mrn") != "7" || got.Answer != w.nonce {
		t.Fatalf("%v %+v", err, got)
	}
	sum := sha256.Sum256([]byte(w.form.Get("code_verifier")))
	if w.form.Get("client_secret") != "" || base64.RawURLEncoding.EncodeToString(sum[:]) != w.challenge || w.form.Get("code") != "c" {
		t.Errorf("%v", w.form)
	}
	proof, err := jwt.ParseSigned(w.form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var c jwt.Claims
	if err := proof.Claims(w.Provider.Key.Public(), &c); err != nil || c.Issuer != "me" || c.Subject != "me" || !c.Audience.Contains(w.server.URL+"/token") || c.ID == "" {
		t.Errorf("%v %+v", err, c)
	}
}

// NI-14: an answer for another browser, too late, of another provider (mix-up), with a
// token that is not of this attempt, not for us or not signed by the provider.
func TestAnswersThatAreNotBelieved(t *testing.T) {
	for what, c := range map[string]struct {
		bend func(w *world, r *Returned, browser *string)
		code string
	}{
		"another browser":   {func(_ *world, _ *Returned, b *string) { *b = "b2" }, "upstream-state"},
		"no browser":        {func(_ *world, _ *Returned, b *string) { *b = "" }, "upstream-state"},
		"a state of nobody": {func(_ *world, r *Returned, _ *string) { r.State = "!" }, "upstream-state"},
		"no state":          {func(_ *world, r *Returned, _ *string) { r.State = "" }, "upstream-state"},
		"too late":          {func(w *world, _ *Returned, _ *string) { w.clock.Advance(federation.TripLife) }, "upstream-state"},
		"another issuer":    {func(_ *world, r *Returned, _ *string) { r.Issuer = "https://evil.example" }, "upstream-answer"},
		"an issuer unsaid": {func(w *world, r *Returned, _ *string) {
			w.says("authorization_response_iss_parameter_supported", true)
			r.Issuer = ""
		}, "upstream-answer"},
		"no code":             {func(_ *world, r *Returned, _ *string) { r.Code = "" }, "upstream-answer"},
		"refused":             {func(_ *world, r *Returned, _ *string) { r.Code, r.Error = "", "access_denied" }, "idp-denied"},
		"an error":            {func(_ *world, r *Returned, _ *string) { r.Code, r.Error = "", "server_error" }, "upstream-answer"},
		"another nonce":       {func(w *world, _ *Returned, _ *string) { w.nonce = "n" }, "upstream-answer"},
		"another key":         {func(w *world, _ *Returned, _ *string) { w.signer = newKey(w.t) }, "upstream-answer"},
		"another audience":    {func(w *world, _ *Returned, _ *string) { w.claim("aud", "you") }, "upstream-answer"},
		"another party":       {func(w *world, _ *Returned, _ *string) { w.claim("azp", "you") }, "upstream-answer"},
		"another iss":         {func(w *world, _ *Returned, _ *string) { w.claim("iss", "https://evil.example") }, "upstream-answer"},
		"no subject":          {func(w *world, _ *Returned, _ *string) { w.claim("sub", "") }, "upstream-answer"},
		"over":                {func(w *world, _ *Returned, _ *string) { w.claim("exp", w.clock.Now().Unix()) }, "upstream-answer"},
		"from the day before": {func(w *world, _ *Returned, _ *string) { w.claim("iat", w.clock.Now().Add(-24*time.Hour).Unix()) }, "upstream-answer"},
		"away":                {func(w *world, _ *Returned, _ *string) { w.down = true }, "upstream-answer"},
	} {
		w := newWorld(t)
		r, browser := Returned{State: w.away(), Code: "c", Issuer: w.server.URL}, "b1"
		c.bend(w, &r, &browser)
		if got, err := w.Finish(t.Context(), r, browser); !errs.Is(err, errs.AccessDenied) || errs.As(err).Code != c.code || got.Subject != "" {
			t.Errorf("%s: %v %+v", what, err, got)
		}
	}
}

// claim makes the provider say something of its own.
func (w *world) claim(name string, value any) {
	w.bend = func(c map[string]any) { c[name] = value }
}

// says changes the configuration, which is read anew.
func (w *world) says(name string, value any) {
	w.metadata = func(m map[string]any) { m[name] = value }
	w.known = federation.Memory[Metadata]{}
}

// NI-14: a configuration that names another issuer or unsafe addresses is refused; a
// good one counts while the provider is away.
func TestConfigurationsOfProviders(t *testing.T) {
	for name, value := range map[string]any{
		"issuer": "https://evil.example", "token_endpoint": "http://10.0.0.1/token", "jwks_uri": "", "authorization_endpoint": "javascript:alert(1)",
	} {
		w := newWorld(t)
		w.says(name, value)
		if _, err := w.Begin(t.Context(), federation.Trip{Browser: "b1"}, false); errs.As(err).Code != "idp-away" {
			t.Errorf("%s %v: %v", name, value, err)
		}
	}
	w := newWorld(t)
	w.away()
	w.down = true
	w.clock.Advance(10*time.Minute + time.Second)
	w.away()
	w.clock.Advance(24 * time.Hour)
	if _, err := w.Begin(t.Context(), federation.Trip{Browser: "b1"}, false); !errs.Is(err, errs.Upstream) {
		t.Errorf("a configuration of yesterday counts: %v", err)
	}
	w.down = false
	if _, err := w.Begin(t.Context(), federation.Trip{Browser: "b1"}, false); err == nil {
		t.Error("the provider was asked again at once")
	}
	w.clock.Advance(10 * time.Second)
	w.away()
}

// SE-17: a logout token is judged as Back-Channel Logout §2.6 says.
func TestLogoutTokens(t *testing.T) {
	event := map[string]any{logoutEvent: map[string]any{}}
	for what, c := range map[string]struct {
		claims map[string]any
		ok     bool
	}{
		"a session":      {map[string]any{"sid": "s", "jti": "j", "events": event}, true},
		"a subject":      {map[string]any{"sub": "rosa", "jti": "j", "events": event}, true},
		"nobody":         {map[string]any{"jti": "j", "events": event}, false},
		"no event":       {map[string]any{"sid": "s", "jti": "j"}, false},
		"another event":  {map[string]any{"sid": "s", "jti": "j", "events": map[string]any{"x": map[string]any{}}}, false},
		"an id_token":    {map[string]any{"sid": "s", "jti": "j", "events": event, "nonce": "n"}, false},
		"no jti":         {map[string]any{"sid": "s", "events": event}, false},
		"over":           {map[string]any{"sid": "s", "jti": "j", "events": event, "exp": 1}, false},
		"a long subject": {map[string]any{"sub": strings.Repeat("x", maxSubject+1), "jti": "j", "events": event}, false},
	} {
		w := newWorld(t)
		if _, err := w.Logout(t.Context(), w.sign(c.claims)); (err == nil) != c.ok {
			t.Errorf("%s: %v", what, err)
		}
	}
	w := newWorld(t)
	w.signer = newKey(t)
	if _, err := w.Logout(t.Context(), w.sign(map[string]any{"sid": "s", "jti": "j", "events": event})); errs.As(err).Code != "idp-logout-token" {
		t.Errorf("a stranger's token: %v", err)
	}
}

// A description is judged whole: every fault is told.
func TestDescriptions(t *testing.T) {
	good := Provider{
		Provider: federation.Provider{ID: "ehr", Name: "EHR", For: []federation.Audience{federation.ForStaff}},
		Issuer:   "https://idp.example", ClientID: "me", Auth: SecretBasic, SecretFile: "s",
	}
	if f := good.Check(false); len(f) > 0 {
		t.Error(f)
	}
	for what, bend := range map[string]func(*Provider){
		"id": func(p *Provider) { p.ID = "a/b" }, "idp": func(p *Provider) { p.ID = "idp" }, "name": func(p *Provider) { p.Name = "" }, "for": func(p *Provider) { p.For = nil },
		"issuer": func(p *Provider) { p.Issuer = "http://idp.example" }, "auth": func(p *Provider) { p.Auth = "none" }, "file": func(p *Provider) { p.SecretFile = "" },
		"e-mail": func(p *Provider) { p.People = []federation.Rule{{Attribute: "Email", As: federation.AsUsername}} },
		"chosen name": func(p *Provider) {
			p.People = []federation.Rule{{Attribute: "preferred_username", As: federation.AsUsername}}
		},
		"no system": func(p *Provider) { p.People = []federation.Rule{{Attribute: "mrn", As: federation.AsPatient}} },
		"RelatedPerson": func(p *Provider) {
			p.People = []federation.Rule{{Attribute: "x", As: "RelatedPerson", System: "urn:x"}}
		},
		"level":      func(p *Provider) { p.Assurance = []federation.Assurance{{ACR: "x", Level: 3}} },
		"password":   func(p *Provider) { p.Assurance = []federation.Assurance{{AMR: []string{"pwd"}, Level: 2}} },
		"everything": func(p *Provider) { p.Assurance = []federation.Assurance{{Level: 2}} },
	} {
		p := good
		bend(&p)
		if f := p.Check(false); len(f) == 0 {
			t.Errorf("%s is taken", what)
		}
	}
}
