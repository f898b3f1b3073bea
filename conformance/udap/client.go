package udap

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

// The scopes that the checks ask for, and the purposes that a service states.
const (
	serviceScope = "system/Patient.rs"
	appScope     = "openid fhirUser launch/patient offline_access patient/Patient.rs patient/Observation.rs"
)

func extensions() map[string]any {
	return map[string]any{"hl7-b2b": map[string]any{
		"version": "1", "organization_id": "https://clinic.example", "organization_name": "Conformance Clinic",
		"purpose_of_use": []string{"urn:oid:2.16.840.1.113883.5.8#TREAT"},
	}}
}

// newURI gives a client URI that nobody used.
func newURI(t *kit.Target) string { return "https://clinic.example/" + t.Random() }

// issue makes a member of the community for a URI of its own. bend changes the
// certificate; nil leaves it.
func issue(t *kit.Target, key crypto.Signer, bend func(*x509.Certificate)) (kit.Member, error) {
	authority, err := t.UDAPCA.Authority()
	if err != nil {
		return kit.Member{}, err
	}
	return authority.Issue(newURI(t), t.Now(), key, bend)
}

// statement gives the claims of a good software statement: of a service, or of an
// app for people.
func statement(t *kit.Target, m kit.Member, endpoint string, people bool) kit.Assertion {
	now := t.Now()
	claims := map[string]any{ //nolint:gosec // the names of claims and no credential
		"iss": m.URI, "sub": m.URI, "aud": endpoint, "iat": now.Unix(), "exp": now.Add(4 * time.Minute).Unix(), "jti": t.Random(),
		"client_name": "Conformance client", "contacts": []string{"mailto:operator@clinic.example"},
		"grant_types": []string{"client_credentials"}, "token_endpoint_auth_method": "private_key_jwt", "scope": serviceScope,
	}
	if people {
		claims["grant_types"] = []string{"authorization_code", "refresh_token"}
		claims["response_types"] = []string{"code"}
		claims["redirect_uris"] = []string{"https://clinic.example/callback"}
		claims["logo_uri"] = "https://clinic.example/logo.png"
		claims["scope"] = appScope
	}
	return kit.Assertion{Claims: claims}
}

// post sends a signed statement. extra adds members to the body.
func post(ctx context.Context, t *kit.Target, endpoint, signed string, extra map[string]any) (*kit.Response, error) {
	body := map[string]any{"software_statement": signed, "udap": "1"}
	for name, value := range extra {
		body[name] = value
		if value == nil {
			delete(body, name)
		}
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return t.Do(ctx, kit.Request{Method: http.MethodPost, URL: endpoint, Type: "application/json", Body: bytes.NewReader(raw)})
}

// submit bends a good statement, signs it as the member and sends it.
func submit(ctx context.Context, t *kit.Target, m kit.Member, people bool, bend func(*kit.Assertion)) (*kit.Response, error) {
	d, err := read(ctx, t)
	if err != nil {
		return nil, err
	}
	a := statement(t, m, d.Register, people)
	if bend != nil {
		bend(&a)
	}
	signed, err := m.Sign(a)
	if err != nil {
		return nil, err
	}
	return post(ctx, t, d.Register, signed, nil)
}

// register makes a registered client. bend changes its certificate.
func register(ctx context.Context, t *kit.Target, people bool, bend func(*x509.Certificate)) (kit.Client, error) {
	m, err := issue(t, nil, bend)
	if err != nil {
		return kit.Client{}, err
	}
	return enrol(ctx, t, m, people)
}

// enrol registers a member.
func enrol(ctx context.Context, t *kit.Target, m kit.Member, people bool) (kit.Client, error) {
	res, err := submit(ctx, t, m, people, nil)
	if err != nil {
		return kit.Client{}, err
	}
	id := res.Text("client_id")
	if res.Status != http.StatusCreated || id == "" {
		return kit.Client{}, fmt.Errorf("the registration of a member: %s", res)
	}
	c := kit.Client{ID: id, Kind: "backend", Member: &m, Scopes: serviceScope, Extensions: extensions()}
	if people {
		c.Kind, c.Scopes, c.Extensions, c.RedirectURIs = "asymmetric", appScope, nil, []string{"https://clinic.example/callback"}
	}
	return c, nil
}

// refusedWith expects an error of a registration.
func refusedWith(c *kit.Check, what string, res *kit.Response, codes ...string) {
	got := res.Text("error")
	ok := res.Status == http.StatusBadRequest && strings.Contains(" "+strings.Join(codes, " ")+" ", " "+got+" ") && got != ""
	c.That(ok, "%s: %s", what, res)
	c.That(res.Text("client_id") == "", "%s: a client_id was given", what)
}
