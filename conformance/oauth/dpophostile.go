package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

// spoilt gives every way in which a proof is spoilt, signed with the prover's key
// or, where that is the fault, with another.
func spoilt(t *kit.Target, p *kit.Prover, method, address, token string) (map[string][]string, error) {
	out, faults := map[string][]string{}, []error{}
	sign := func(name string, bend func(a kit.Assertion)) {
		a := p.Proof(method, address, token)
		bend(a)
		raw, err := p.Sign(a)
		out[name], faults = []string{raw}, append(faults, err)
	}
	for name, value := range map[string]any{"jti": 7, "htm": "PATCH", "htu": "https://elsewhere.example/", "iat": "now"} {
		sign(name+" wrong", func(a kit.Assertion) { a.Claims[name] = value })
		sign(name+" missing", func(a kit.Assertion) { delete(a.Claims, name) })
	}
	now := t.Now().Unix()
	sign("old", func(a kit.Assertion) { a.Claims["iat"] = now - 3600 })
	sign("from the future", func(a kit.Assertion) { a.Claims["iat"] = now + 3600 })
	sign("a jti without end", func(a kit.Assertion) { a.Claims["jti"] = strings.Repeat("j", 2000) })
	sign("another typ", func(a kit.Assertion) { a.Header["typ"] = "JWT" })
	sign("no key", func(a kit.Assertion) { a.Header["jwk"] = nil })
	sign("its private key", func(a kit.Assertion) { a.Header["jwk"] = p.Private() })
	sign("a huge header", func(a kit.Assertion) { a.Header["x"] = strings.Repeat("x", 20000) })
	stranger, err := t.NewProver()
	faults = append(faults, err)
	sign("the key of another", func(a kit.Assertion) { a.Header["jwk"] = stranger.Public() })
	symmetric := p.Proof(method, address, token)
	symmetric.Algorithm = "HS256"
	raw, err := symmetric.SignWith([]byte(strings.Repeat("k", 32)), "")
	out["a symmetric key"], faults = []string{raw}, append(faults, err)
	none, err := json.Marshal(symmetric.Claims)
	out["alg none"] = []string{base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"dpop+jwt","alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(none) + "."}
	good, err2 := p.Sign(p.Proof(method, address, token))
	out["two proofs"], out["two in one"] = []string{good, good}, []string{good + "," + good}
	out["garbage"], out["empty"] = []string{"garbage"}, []string{""}
	return out, errors.Join(append(faults, err, err2)...)
}

func dpopHostile(ctx context.Context, t *kit.Target) error {
	p, err := t.NewProver()
	if err != nil {
		return err
	}
	g, err := t.Code(ctx, kit.Launch{Client: t.Client("public"), Scope: dpopScope, Visit: kit.Visit{Person: t.Patient()}})
	if err != nil {
		return err
	}
	hostile, err := spoilt(t, p, http.MethodPost, t.Config.Token, "")
	if err != nil {
		return err
	}
	var c kit.Check
	form := kit.CodeForm(g.Code, g.Redirect, g.Verifier)
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		if res, err := t.TokenWith(ctx, g.Client, form, hostile[name]...); c.Note(err) {
			c.That(res.Status == http.StatusBadRequest && res.Text("error") == "invalid_dpop_proof", "%s: %s", name, res)
			c.That(res.Text("error_description") != "" && strings.Contains(res.Text("error_uri"), "dpop-proof-"), "%s has no cause: %q", name, res.Text("error_uri"))
		}
	}
	if res, err := p.Token(ctx, g.Client, form); c.Note(err) {
		c.That(res.Status == http.StatusOK, "the code afterwards: %s", res)
	}
	return c.Err()
}

func dpopHostileRead(ctx context.Context, t *kit.Target) error {
	p, g, err := dpopLaunch(ctx, t)
	if err != nil {
		return err
	}
	path := "Patient/" + g.Patient()
	address := t.FHIRBase + "/" + path
	hostile, err := spoilt(t, p, http.MethodGet, address, g.Access())
	if err != nil {
		return err
	}
	var c kit.Check
	for name, token := range map[string]string{"ath missing": "", "ath of another token": "other"} {
		raw, err := p.Sign(p.Proof(http.MethodGet, address, token))
		if c.Note(err) {
			hostile[name] = []string{raw}
		}
	}
	hostile["no proof"] = nil
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		if res, err := t.FHIRWith(ctx, "DPoP", g.Access(), path, hostile[name]...); c.Note(err) {
			challenge := strings.Join(res.Header.Values("WWW-Authenticate"), ", ")
			c.That(res.Status == http.StatusUnauthorized && strings.Contains(challenge, `error="invalid_dpop_proof"`), "%s: %s, %s", name, res, challenge)
		}
	}
	stranger, err := t.NewProver()
	if c.Note(err) {
		if res, err := stranger.FHIR(ctx, g.Access(), path); c.Note(err) {
			c.That(res.Status == http.StatusUnauthorized, "the proof of another key: %s", res)
		}
	}
	if res, err := p.FHIR(ctx, g.Access(), path); c.Note(err) {
		c.That(res.Status == http.StatusOK, "a good one afterwards: %s", res)
	}
	return c.Err()
}
