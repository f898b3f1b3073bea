package kit

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Provider is an identity provider of a trust community at an address of this
// machine. It logs everybody in as one subject, and asks nobody (UDP-32).
type Provider struct {
	t      *Target
	member Member
	keys   crypto.Signer
	server *http.Server
	// URL is its identifier and the prefix of all its addresses.
	URL string
	// Subject is whom it names, Bend changes the claims of its id_tokens, Stranger
	// signs them in place of its own key, Denies answers with an error.
	Subject  string
	Bend     func(claims map[string]any)
	Stranger crypto.Signer
	Denies   string

	mu        sync.Mutex
	statement map[string]any
	asked     []url.Values
	codes     map[string]url.Values
	fault     error
}

// providerClient is the client_id of whoever registers.
const providerClient = "data-holder"

// ServeProvider begins an identity provider with a certificate of the authority;
// bend changes the certificate. Close ends it.
func (t *Target) ServeProvider(ctx context.Context, a Authority, issue func(Authority, string) (Member, error)) (*Provider, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Provider{t: t, URL: "http://" + l.Addr().String(), codes: map[string]url.Values{}}
	p.keys, err = ECKey(elliptic.P256())
	if err == nil {
		p.member, err = issue(a, p.URL)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/udap", p.metadata)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		tell(w, map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/jwks", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token"})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		tell(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.keys.Public(), KeyID: "idp", Use: "sig", Algorithm: "ES256"}}})
	})
	mux.HandleFunc("POST /register", p.register)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Second}
	go func() { _ = p.server.Serve(l) }() // ends with Close
	return p, nil
}

// Close ends the provider.
func (p *Provider) Close() { _ = p.server.Close() }

// Asked gives the authorization requests so far, Statement the claims of the last
// software statement, and Fault what was wrong with a request.
func (p *Provider) Asked() []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// Statement gives the claims of the last software statement.
func (p *Provider) Statement() map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.statement
}

// Fault gives what was wrong with a request, nil when nothing was.
func (p *Provider) Fault() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

func tell(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// refuse notes and answers a request that is not as it must be.
func (p *Provider) refuse(w http.ResponseWriter, format string, args ...any) {
	p.fault = fmt.Errorf(format, args...)
	w.WriteHeader(http.StatusBadRequest)
	tell(w, map[string]string{"error": "invalid_request"})
}

func (p *Provider) metadata(w http.ResponseWriter, _ *http.Request) {
	now := p.t.Now()
	signed, err := p.member.Sign(Assertion{Claims: map[string]any{
		"iss": p.URL, "sub": p.URL, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": p.t.Random(),
		"authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "registration_endpoint": p.URL + "/register",
	}})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	tell(w, map[string]any{
		"udap_versions_supported": []string{"1"}, "udap_profiles_supported": []string{"udap_dcr", "udap_authn", "udap_to"},
		"scopes_supported": []string{"openid", "udap"}, "signed_metadata": signed,
	})
}

// own reads a JWT that the server under test signed for an address of this
// provider.
func (p *Provider) own(compact, issuer, audience string) (map[string]any, error) {
	chain, payload, err := ReadJWS(compact)
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, err
	}
	named := slices.ContainsFunc(chain[0].URIs, func(u *url.URL) bool { return u.String() == p.t.FHIRBase })
	switch {
	case !named:
		return nil, errors.New("the certificate does not name the FHIR base")
	case claims["iss"] != issuer || claims["sub"] != issuer || claims["aud"] != audience:
		return nil, fmt.Errorf("iss %v, sub %v, aud %v", claims["iss"], claims["sub"], claims["aud"])
	case claims["jti"] == nil || claims["exp"] == nil || claims["iat"] == nil:
		return nil, errors.New("jti, exp or iat is missing")
	}
	return claims, nil
}

func (p *Provider) register(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var body struct {
		Statement string `json:"software_statement"`
		UDAP      string `json:"udap"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if err == nil {
		p.statement, err = p.own(body.Statement, p.t.FHIRBase, p.URL+"/register")
	}
	if err != nil || body.UDAP != "1" {
		p.refuse(w, "registration: %v", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"client_id": providerClient, "software_statement": body.Statement})
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := r.URL.Query()
	p.asked = append(p.asked, q)
	back := url.Values{"state": {q.Get("state")}, "iss": {p.URL}}
	if p.Denies != "" {
		back.Set("error", p.Denies)
	} else {
		code := p.t.Random()
		p.codes[code] = q
		back.Set("code", code)
	}
	http.Redirect(w, r, withQuery(q.Get("redirect_uri"), back), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	code := r.PostFormValue("code")
	asked, known := p.codes[code]
	delete(p.codes, code)
	_, err := p.own(r.PostFormValue("client_assertion"), providerClient, p.URL+"/token")
	switch {
	case err != nil:
		p.refuse(w, "client assertion: %v", err)
	case !known || r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("udap") != "1":
		p.refuse(w, "token request: %s", strings.Join([]string{code, r.PostFormValue("grant_type"), r.PostFormValue("udap")}, ", "))
	case Challenge(r.PostFormValue("code_verifier")) != asked.Get("code_challenge") || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri"):
		p.refuse(w, "the code verifier or the redirect URI is another one")
	default:
		p.answer(w, asked)
	}
}

// answer gives the id_token.
func (p *Provider) answer(w http.ResponseWriter, asked url.Values) {
	now := p.t.Now()
	claims := map[string]any{
		"iss": p.URL, "sub": p.Subject, "aud": providerClient, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": asked.Get("nonce"),
	}
	if p.Bend != nil {
		p.Bend(claims)
	}
	key := p.keys
	if p.Stranger != nil {
		key = p.Stranger
	}
	token, err := Assertion{Algorithm: "ES256", Claims: claims}.SignWith(key, "idp")
	if err != nil {
		p.refuse(w, "%v", err)
		return
	}
	tell(w, map[string]any{"access_token": p.t.Random(), "token_type": "Bearer", "expires_in": 300, "id_token": token})
}
