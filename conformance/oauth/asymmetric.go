package oauth

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/conformance/kit"
)

func asymmetric() []kit.Row {
	return []kit.Row{
		{ID: "SMART ASY-01", Title: "the assertion type must be the one of RFC 7523", Needs: kit.Backend, Run: asyType},
		{ID: "SMART DISC-12b", Title: "each listed algorithm works", Needs: kit.Backend, Run: asyListed},
		{ID: "SMART ASY-02", Title: "none and HS256 are refused", Needs: kit.Backend, Run: asyNone},
		{ID: "SMART ASY-03", Title: "a missing or unknown kid is refused", Needs: kit.Backend, Run: asyKid},
		{ID: "SMART ASY-04", Title: "a jku that is not registered is refused and not fetched", Needs: kit.Backend, Run: asyJKU},
		{ID: "SMART ASY-07", Title: "iss, sub and client_id must agree", Needs: kit.Backend | kit.Asymmetric, Run: asySubject},
		{ID: "SMART ASY-08", Title: "aud must be the token endpoint", Needs: kit.Backend, Run: asyAudience},
		{ID: "SMART ASY-09", Title: "exp must be there, ahead, and at most five minutes", Needs: kit.Backend, Run: asyExpiry},
		{ID: "SMART ASY-10", Title: "jti works once, also in parallel", Needs: kit.Backend, Run: asyReplay},
		{ID: "SMART ASY-15", Title: "a signature of another key is invalid_client", Needs: kit.Backend | kit.Asymmetric, Run: asyForeignKey},
		{ID: "SMART D11", Title: "an assertion without iat and nbf and with exp 300 s ahead is taken", Needs: kit.Backend, Run: asyLean},
	}
}

const systemScope = "system/Patient.rs"

// assert sends a client_credentials request with an assertion of the row's own.
func assert(ctx context.Context, t *kit.Target, signed string, more url.Values) (*kit.Response, error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {systemScope},
		"client_assertion_type": {kit.AssertionType}, "client_assertion": {signed},
	}
	for name, values := range more {
		form[name] = values
	}
	return t.Do(ctx, kit.Request{URL: t.Config.Token, Form: form})
}

// bent signs an assertion of the backend client after the row bent it.
func bent(ctx context.Context, t *kit.Target, bend func(*kit.Assertion)) (*kit.Response, error) {
	client := t.Client("backend")
	a := t.NewAssertion(client, "ES384")
	bend(&a)
	signed, err := client.Sign(a)
	if err != nil {
		return nil, err
	}
	return assert(ctx, t, signed, nil)
}

func refusedClient(c *kit.Check, what string, res *kit.Response) {
	c.That(res.Status == http.StatusUnauthorized && res.Text("error") == "invalid_client", "%s: %s", what, res)
	c.That(res.Text("access_token") == "", "%s: a token was given", what)
}

// expectRefused bends and expects invalid_client.
func expectRefused(ctx context.Context, t *kit.Target, c *kit.Check, what string, bend func(*kit.Assertion)) {
	res, err := bent(ctx, t, bend)
	if c.Note(err) {
		refusedClient(c, what, res)
	}
}

func asyType(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("backend")
	for _, kind := range []string{"", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", "not_an_assertion_type"} {
		signed, err := client.Sign(t.NewAssertion(client, "ES384"))
		if !c.Note(err) {
			continue
		}
		res, err := assert(ctx, t, signed, url.Values{"client_assertion_type": {kind}})
		if c.Note(err) {
			c.That(res.Status == 400 || res.Status == 401, "%q: %s", kind, res)
		}
	}
	return c.Err()
}

func asyListed(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	c.That(len(t.Config.TokenAuthAlgorithms) > 0, "no algorithm is listed")
	for _, alg := range t.Config.TokenAuthAlgorithms {
		res, err := bent(ctx, t, func(a *kit.Assertion) { a.Algorithm = alg })
		if c.Note(err) {
			c.That(res.Status == http.StatusOK, "%s: %s", alg, res)
		}
	}
	return c.Err()
}

func asyNone(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("backend")
	a := t.NewAssertion(client, "ES384")
	payload, err := json.Marshal(a.Claims)
	if err != nil {
		return err
	}
	enc := base64.RawURLEncoding.EncodeToString
	for _, alg := range []string{"none", "None", "NONE"} {
		res, err := assert(ctx, t, enc([]byte(`{"alg":"`+alg+`","typ":"JWT"}`))+"."+enc(payload)+".", nil)
		if c.Note(err) {
			refusedClient(&c, alg, res)
		}
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(client.PrivateJWKS, &set); err != nil {
		return err
	}
	for _, k := range set.Keys {
		public, err := x509.MarshalPKIXPublicKey(k.Public().Key)
		if !c.Note(err) {
			continue
		}
		forged := t.NewAssertion(client, "HS256")
		signed, err := forged.SignWith(public, k.KeyID)
		if !c.Note(err) {
			continue
		}
		res, err := assert(ctx, t, signed, nil)
		if c.Note(err) {
			refusedClient(&c, "HS256 with the public key", res)
		}
	}
	return c.Err()
}

func asyKid(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	expectRefused(ctx, t, &c, "no kid", func(a *kit.Assertion) { a.Header = map[string]any{"kid": nil} })
	expectRefused(ctx, t, &c, "unknown kid", func(a *kit.Assertion) { a.Header = map[string]any{"kid": "other"} })
	expectRefused(ctx, t, &c, "kid of the other key", func(a *kit.Assertion) { a.Header = map[string]any{"kid": "demo-backend-rs384"} })
	return c.Err()
}

func asyJKU(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var asked atomic.Int32
	trap := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	})}
	go func() { _ = trap.Serve(l) }() // ends with Close
	defer func() { _ = trap.Close() }()
	for _, jku := range []string{"http://" + l.Addr().String() + "/jwks.json", "https://evil.example/jwks.json"} {
		expectRefused(ctx, t, &c, "foreign jku", func(a *kit.Assertion) { a.Header = map[string]any{"jku": jku} })
	}
	c.That(asked.Load() == 0, "the unregistered jku was fetched %d times", asked.Load())
	return c.Err()
}

func asySubject(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	other := t.Client("asymmetric").ID
	expectRefused(ctx, t, &c, "another iss", func(a *kit.Assertion) { a.Claims["iss"] = other })
	expectRefused(ctx, t, &c, "another sub", func(a *kit.Assertion) { a.Claims["sub"] = other })
	expectRefused(ctx, t, &c, "another client", func(a *kit.Assertion) { a.Claims["iss"], a.Claims["sub"] = other, other })
	expectRefused(ctx, t, &c, "an unknown client", func(a *kit.Assertion) { a.Claims["iss"], a.Claims["sub"] = "nobody", "nobody" })
	client := t.Client("backend")
	signed, err := client.Sign(t.NewAssertion(client, "ES384"))
	if c.Note(err) {
		res, err := assert(ctx, t, signed, url.Values{"client_id": {other}})
		if c.Note(err) {
			c.That(res.Status == 400 || res.Status == 401, "another client_id in the body: %s", res)
		}
	}
	return c.Err()
}

func asyAudience(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	for _, aud := range []any{"https://evil.example/token", "", t.Config.Token + "x", []string{"https://evil.example/token"}, nil} {
		expectRefused(ctx, t, &c, fmt.Sprint("aud ", aud), func(a *kit.Assertion) { a.Claims["aud"] = aud })
	}
	res, err := bent(ctx, t, func(a *kit.Assertion) { a.Claims["aud"] = []string{t.Config.Token} })
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "a list with the token endpoint: %s", res)
	}
	return c.Err()
}

func asyExpiry(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	now := t.Now().Unix()
	for what, exp := range map[string]any{"missing": nil, "past": now - 120, "ten minutes": now + 600, "a year": now + 31536000, "text": "soon"} {
		expectRefused(ctx, t, &c, "exp "+what, func(a *kit.Assertion) {
			a.Claims["exp"] = exp
			if exp == nil {
				delete(a.Claims, "exp")
			}
		})
	}
	expectRefused(ctx, t, &c, "nbf ahead", func(a *kit.Assertion) { a.Claims["nbf"] = now + 200 })
	expectRefused(ctx, t, &c, "no jti", func(a *kit.Assertion) { delete(a.Claims, "jti") })
	res, err := bent(ctx, t, func(a *kit.Assertion) { a.Claims["iat"] = now + 5 })
	if c.Note(err) {
		c.That(res.Status == http.StatusOK, "iat five seconds ahead: %s", res)
	}
	return c.Err()
}

func asyReplay(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	client := t.Client("backend")
	signed, err := client.Sign(t.NewAssertion(client, "ES384"))
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	status := make([]int, 20)
	for i := range status {
		wg.Go(func() {
			if res, err := assert(ctx, t, signed, nil); err == nil {
				status[i] = res.Status
			}
		})
	}
	wg.Wait()
	won := 0
	for _, s := range status {
		if s == http.StatusOK {
			won++
		} else {
			c.That(s == http.StatusUnauthorized, "a replay got %d", s)
		}
	}
	c.That(won == 1, "%d of 20 parallel uses succeeded", won)
	res, err := assert(ctx, t, signed, nil)
	if c.Note(err) {
		refusedClient(&c, "a later replay", res)
	}
	return c.Err()
}

func asyForeignKey(ctx context.Context, t *kit.Target) error {
	var c kit.Check
	victim, thief := t.Client("backend"), t.Client("asymmetric")
	var mine, theirs jose.JSONWebKeySet
	if err := json.Unmarshal(victim.PrivateJWKS, &mine); err != nil {
		return err
	}
	if err := json.Unmarshal(thief.PrivateJWKS, &theirs); err != nil {
		return err
	}
	sent := 0
	for _, k := range theirs.Keys {
		at := slices.IndexFunc(mine.Keys, func(m jose.JSONWebKey) bool { return m.Algorithm == k.Algorithm })
		if at < 0 {
			continue
		}
		signed, err := t.NewAssertion(victim, k.Algorithm).SignWith(k.Key, mine.Keys[at].KeyID)
		if !c.Note(err) {
			continue
		}
		res, err := assert(ctx, t, signed, nil)
		if c.Note(err) {
			sent++
			refusedClient(&c, "another client's key", res)
		}
	}
	c.That(sent > 0, "the two clients share no algorithm")
	return c.Err()
}

func asyLean(ctx context.Context, t *kit.Target) error {
	res, err := bent(ctx, t, func(a *kit.Assertion) {
		delete(a.Claims, "iat")
		a.Claims["exp"] = t.Now().Unix() + 300
	})
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK {
		return fmt.Errorf("%s", res)
	}
	return nil
}

// basic gives an Authorization header of raw parts.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}
