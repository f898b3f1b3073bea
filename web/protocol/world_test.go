package protocol_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/engine"
	"github.com/mandate-health/mandate/oauth/engine/clientauth"
	"github.com/mandate-health/mandate/oauth/grant"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/protocol"
)

const tenant = "main"

// secrets of the test clients.
const (
	secretA  = "s3cret:with%colon+plus and space"
	secretB  = "secret-of-the-other-client"
	verifier = "dBjFTJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)

// signingKeys are made once for all tests.
var signingKeys = sync.OnceValue(func() []keys.SigningKey {
	f := newFake()
	_, _ = keys.NewRing(f, clock.System{}).JWKS(context.Background(), tenant)
	return f.keys
})

// clientKeys are the keys of the asymmetric test clients, by kid.
var clientKeys = sync.OnceValue(func() map[string]crypto.Signer {
	rs, _ := rsa.GenerateKey(rand.Reader, 2048)
	es, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return map[string]crypto.Signer{"rs": rs, "es": es}
})

// world is a server with its store, and what the rest of Mandate would say.
type world struct {
	t      *testing.T
	url    string
	mux    http.Handler
	site   engine.Site
	store  *fake
	clock  *clock.Movable
	ring   *keys.Ring
	engine *engine.Engine

	mu       sync.Mutex
	denied   error
	until    time.Time
	narrowed string
	disabled map[string]bool
	signedIn bool
}

func (w *world) Redecide(_ context.Context, _ oauth.Standing, requested string) (oauth.Redecision, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.narrowed != "" {
		requested = w.narrowed
	}
	return oauth.Redecision{Scopes: requested, ValidUntil: w.until}, w.denied
}

func (w *world) ClientByID(ctx context.Context, t, id string) (oauth.Client, error) {
	return w.store.ClientByID(ctx, t, id)
}

// standing says how a grant stands, as the store's joined rows do.
func (w *world) standing(ctx context.Context, t, id string) (oauth.Standing, error) {
	g, err := w.store.GrantByID(ctx, t, id)
	if err != nil {
		return oauth.Standing{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	st := oauth.Standing{Grant: g, PersonActive: !w.disabled[g.PersonID]}
	if w.signedIn {
		st.SessionEnds = w.clock.Now().Add(time.Hour)
	}
	st.Client, _ = w.store.ClientByID(ctx, t, g.ClientID)
	return st, nil
}

func (w *world) CodeStanding(ctx context.Context, t string, ref oauth.CodeRef) (oauth.Code, oauth.Standing, error) {
	c, err := w.store.CodeByHash(ctx, t, ref.Hash)
	if err != nil {
		return c, oauth.Standing{}, err
	}
	st, err := w.standing(ctx, t, c.GrantID)
	return c, st, err
}

// RefreshStanding takes for granted, as memory does, what the caller finds out.
func (w *world) RefreshStanding(ctx context.Context, t string, ref oauth.RefreshRef) (oauth.RefreshToken, oauth.Standing, error) {
	r, err := w.store.refreshByHash(t, ref.Hash)
	if err != nil {
		return r, oauth.Standing{}, err
	}
	if ref.Rotates {
		r.Rotated = time.Time{}
	}
	st, err := w.standing(ctx, t, r.GrantID)
	return r, st, err
}

func (w *world) TokenStanding(ctx context.Context, t string, ref oauth.TokenRef) (bool, oauth.Standing, error) {
	listed, err := w.store.TokenRevoked(ctx, t, ref.ID)
	if err != nil || ref.GrantID != "" {
		st, err := w.standing(ctx, t, ref.GrantID)
		return listed, st, err
	}
	c, err := w.store.ClientByID(ctx, t, ref.ClientID)
	return listed, oauth.Standing{Client: c}, err
}

func (w *world) Site(context.Context, string) (engine.Site, error) { return w.site, nil }

// newWorld starts a server with one client of each kind.
func newWorld(t *testing.T) *world {
	t.Helper()
	mux := http.NewServeMux()
	w := &world{t: t, mux: mux, store: newFake(), clock: &clock.Movable{}, signedIn: true, disabled: map[string]bool{}}
	w.store.keys = append(w.store.keys, signingKeys()...)
	w.ring = keys.NewRing(w.store, w.clock)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url, w.site = server.URL, engine.Site{
		Tenant: tenant, Issuer: server.URL, FHIRBase: server.URL + "/fhir",
		TokenURL: server.URL + "/token", IntrospectURL: server.URL + "/introspect", RevokeURL: server.URL + "/revoke",
	}
	v := &engine.Verifier{Ring: w.ring, Sites: w, Reader: w, Clock: w.clock, Acting: w.store}
	w.engine = engine.New(engine.Deps{
		Ring: w.ring, Clock: w.clock, Reader: w, Runner: w.store,
		Redecider: w, Verifier: v, Recorder: w.store,
		Ender: &oauth.Connections{Clock: w.clock, Consents: w.store},
	})
	auth := &clientauth.Authenticator{
		Clients: w.store, Hashers: w.ring, Clock: w.clock, Admit: w.store.admit,
		Keys: clientauth.NewFetcher(clientauth.FetcherConfig{Clock: w.clock, Dev: true}),
	}
	d := protocol.Deps{
		Site: func(*http.Request) (engine.Site, error) { return w.site, nil },
		Endpoint: grant.New(grant.Deps{
			Engine: w.engine, Auth: auth, Reader: w,
			Redecide: w, Clock: w.clock,
		}),
		Engine: w.engine, Auth: auth, Ring: w.ring, Clients: w.store,
		Problem: problem.New(problem.Config{Issuer: server.URL}),
	}
	mux.Handle("/token", protocol.Token(d))
	mux.Handle("/introspect", protocol.Introspect(d))
	mux.Handle("/revoke", protocol.Revoke(d))
	mux.Handle("/jwks", protocol.JWKS(d))
	w.clients()
	return w
}

func (w *world) clients() {
	h, err := w.ring.Hasher(context.Background(), tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	redirect := []string{"https://app.example/cb"}
	app := "launch/patient openid fhirUser offline_access patient/*.rs"
	jwks := publicSet(w.t)
	for _, c := range []oauth.Client{
		{ID: "public", Kind: oauth.ClientPublic, RedirectURIs: redirect, Scopes: app},
		{ID: "web", Kind: oauth.ClientSymmetric, RedirectURIs: redirect, Scopes: app, SecretHashes: []string{
			clientauth.SecretHash(h, "an-older-secret"), clientauth.SecretHash(h, secretA),
		}},
		{ID: "other", Kind: oauth.ClientSymmetric, RedirectURIs: redirect, Scopes: app, SecretHashes: []string{clientauth.SecretHash(h, secretB)}},
		{ID: "keyed", Kind: oauth.ClientAsymmetric, RedirectURIs: redirect, Scopes: app, JWKS: jwks, RefreshIDToken: true},
		{ID: "backend", Kind: oauth.ClientBackend, Scopes: "system/Patient.rs system/Observation.read system/Observation.rs?category=laboratory", JWKS: jwks},
		{ID: "legacy", Kind: oauth.ClientSymmetric, Scopes: "system/Patient.rs", SecretForItself: true, SecretHashes: []string{clientauth.SecretHash(h, secretB)}},
		{ID: "auditor", Kind: oauth.ClientBackend, Scopes: "system/*.rs", JWKS: jwks, Introspect: true},
	} {
		c.Tenant = tenant
		w.store.rows.clients[tenant+c.ID] = c
	}
}

// change edits one client.
func (w *world) change(id string, edit func(c *oauth.Client)) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	c := w.store.rows.clients[tenant+id]
	edit(&c)
	w.store.rows.clients[tenant+id] = c
}

func publicSet(t *testing.T) json.RawMessage {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	rs, es := clientKeys()["rs"].Public().(*rsa.PublicKey), clientKeys()["es"].Public().(*ecdsa.PublicKey)
	point, err := es.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"keys": []any{
		map[string]any{"kty": "RSA", "kid": "rs", "n": b64(rs.N.Bytes()), "e": "AQAB", "key_ops": []string{"verify"}},
		map[string]any{"kty": "EC", "kid": "es", "crv": "P-384", "x": b64(point[1:49]), "y": b64(point[49:])},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// grantOf gives a grant of rosa's to a client, offline for a year.
func (w *world) grantOf(client string) oauth.Grant {
	banner := true
	now := w.clock.Now()
	return oauth.Grant{
		Tenant: tenant, ID: ids.Source{}.ID(), PersonID: "person-rosa", ClientID: client,
		Capacity: fhir.Capacity{
			Kind: fhir.CapacitySelf, Acting: fhir.Reference{Type: "Patient", ID: "rosa"}, Patient: "rosa", Purpose: "PATRQT",
		},
		Context:   oauth.Context{Patient: "rosa", NeedPatientBanner: &banner},
		Scopes:    "launch/patient openid fhirUser offline_access patient/Patient.rs patient/Observation.rs",
		ConsentID: "approval", ConsentVersion: 1, Offline: true, AuthTime: now.Add(-time.Minute), AMR: []string{"pwd", "otp"}, ACR: "urn:mandate:aal:2",
		SessionHash: "session", Created: now, Ends: now.Add(365 * 24 * time.Hour),
	}
}

// code stores a grant and gives a code for it, as oauth/flow does.
func (w *world) code(g oauth.Grant) string {
	w.t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	c, err := w.store.ClientByID(context.Background(), tenant, g.ClientID)
	if err != nil {
		w.t.Fatal(err)
	}
	code, stored, err := w.engine.IssueCode(context.Background(), engine.IssueInput{
		Client: c, Grant: g, Now: w.clock.Now(), Request: oauth.AuthorizeRequest{
			RedirectURI: "https://app.example/cb", Nonce: "n-1", State: "x",
			Challenge: base64.RawURLEncoding.EncodeToString(sum[:]),
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.store.InTx(context.Background(), func(oauth.Tx) error {
		w.store.rows.grants[tenant+g.ID], w.store.rows.codes[tenant+stored.Hash] = g, stored
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return code
}

// answer is an HTTP answer with its JSON body.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a answer) str(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// request sends a form. Each option changes the request.
func (w *world) request(path string, form url.Values, options ...func(*http.Request)) answer {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, o := range options {
		o(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Error(err)
		return answer{}
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

func basic(id, secret string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func codeForm(code string, more ...string) url.Values {
	return with(url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {"https://app.example/cb"}, "code_verifier": {verifier},
	}, more...)
}

func refreshForm(token string, more ...string) url.Values {
	return with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, more...)
}

// with sets pairs of names and values; an empty value removes the name.
func with(form url.Values, more ...string) url.Values {
	v := maps.Clone(form)
	for i := 0; i+1 < len(more); i += 2 {
		v.Set(more[i], more[i+1])
		if more[i+1] == "" {
			v.Del(more[i])
		}
	}
	return v
}

// expect checks status and error.
func (w *world) expect(name string, a answer, status int, code string) {
	w.t.Helper()
	if a.status != status || a.str("error") != code {
		w.t.Errorf("%s: %d %s, want %d %s", name, a.status, a.raw, status, code)
	}
}

// assertion signs a client assertion; edit may change header and claims.
func (w *world) assertion(id, kid string, edit func(h map[string]any, c map[string]any)) string {
	w.t.Helper()
	h := map[string]any{"typ": "JWT", "kid": kid, "alg": map[string]string{"rs": "RS384", "es": "ES384"}[kid]}
	c := map[string]any{
		"iss": id, "sub": id, "aud": w.site.TokenURL, "jti": ids.Source{}.ID(),
		"exp": w.clock.Now().Add(5 * time.Minute).Unix(),
	}
	if edit != nil {
		edit(h, c)
	}
	head, _ := json.Marshal(h)
	body, _ := json.Marshal(c)
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	digest := sha512.Sum384([]byte(text))
	var sig []byte
	var err error
	switch k := clientKeys()[kid].(type) {
	case *rsa.PrivateKey:
		sig, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA384, digest[:])
	case *ecdsa.PrivateKey:
		r, s, e := ecdsa.Sign(rand.Reader, k, digest[:])
		sig, err = append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...), e
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func asserted(form url.Values, jwt string) url.Values {
	return with(form, "client_assertion_type", clientauth.AssertionType, "client_assertion", jwt)
}

func backendForm(scope string) url.Values {
	return with(url.Values{"grant_type": {"client_credentials"}}, "scope", scope)
}

// introspect asks as the client that may ask about every token.
func (w *world) introspect(token string) answer {
	w.t.Helper()
	return w.request("/introspect", asserted(url.Values{"token": {token}}, w.assertion("auditor", "es", nil)))
}

// active reports whether a token is.
func (w *world) active(token string) bool {
	w.t.Helper()
	a := w.introspect(token)
	if a.status != http.StatusOK {
		w.t.Fatalf("introspection: %d %s", a.status, a.raw)
	}
	return a.body["active"] == true
}

// events gives the audit events of a kind, oldest first.
func (w *world) events(kind audit.Kind) []audit.Event {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	var out []audit.Event
	for _, e := range w.store.rows.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// claims reads a JWT without checking it.
func claims(t *testing.T, jwt string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %s", jwt)
	}
	for i, into := range []*map[string]any{&header, &payload} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(raw, into) != nil {
			t.Fatalf("not a JWT: %s", jwt)
		}
	}
	return header, payload
}

func denied() error { return errs.New(errs.AccessDenied, "NO_GRANT", "The consent was withdrawn.") }

// ended checks that a grant ended once, for a reason, as by its person: the log
// is told, and the Consent that recorded it is withdrawn.
func (w *world) ended(g oauth.Grant, reason string) {
	w.t.Helper()
	all := w.events(audit.GrantRevoked)
	mine := slices.DeleteFunc(slices.Clone(all), func(e audit.Event) bool { return e.GrantID != g.ID })
	if len(mine) != 1 || mine[0].Reason != reason || mine[0].Patient != "rosa" || mine[0].Network == "" {
		w.t.Errorf("events: %+v", mine)
	}
	if got := w.store.rows.withdrawn; len(got) != len(all) || !slices.Contains(got, g.ConsentID) {
		w.t.Errorf("Consents withdrawn: %v", got)
	}
}
