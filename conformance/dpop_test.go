package conformance_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/testpg"
)

// RFC 9449 §11.1, §8: of two nodes at most one takes a proof at the token
// endpoint, both read what is bound, and either knows the other's nonces.
func TestProofsOverTwoNodes(t *testing.T) {
	dsn := testpg.Start(t)
	p := nodes(t, "dpop", dsn, dsn, "--dpop-nonce")
	prover, err := p.a.NewProver()
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.a.Code(t.Context(), kit.Launch{Client: p.client, Scope: "launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Person: "rosa"}})
	if err != nil {
		t.Fatal(err)
	}
	code := kit.CodeForm(g.Code, g.Redirect, g.Verifier)
	res := p.send(t, p.b, code, p.proof(t, prover))
	if prover.Nonce = res.Header.Get("DPoP-Nonce"); res.Text("error") != "use_dpop_nonce" || prover.Nonce == "" {
		t.Fatalf("the second node asks for no nonce: %s", res)
	}
	res = p.send(t, p.a.Issuer, code, p.proof(t, prover))
	refresh, access := res.Text("refresh_token"), res.Text("access_token")
	if res.Status != http.StatusOK || res.Text("token_type") != "DPoP" {
		t.Fatalf("the first node does not take the second's nonce: %s", res)
	}

	once := p.proof(t, prover)
	won := race(t, 20, func(i int) (*kit.Response, error) {
		node := []string{p.a.Issuer, p.b}[i%2]
		return p.a.Do(t.Context(), kit.Request{URL: node + "/token", Header: http.Header{"Dpop": {once}}, Form: url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {p.client.ID},
		}})
	})
	if won != 1 {
		t.Errorf("one proof was taken %d times", won)
	}
	for _, node := range []string{p.a.Issuer, p.b} {
		raw, err := prover.Sign(prover.Proof(http.MethodGet, p.a.FHIRBase+"/Patient/rosa", access))
		if err != nil {
			t.Fatal(err)
		}
		res, err := p.a.Do(t.Context(), kit.Request{URL: node + "/fhir/Patient/rosa", Header: http.Header{"Authorization": {"DPoP " + access}, "Dpop": {raw}}})
		if err != nil || res.Status != http.StatusOK {
			t.Errorf("%s: %v %v", node, res, err)
		}
		if status := p.read(t, node, access); status != http.StatusUnauthorized {
			t.Errorf("as a bearer token: %d", status)
		}
	}
}

// proof gives a proof for the token endpoint. htu is the public URL, at
// whichever node the request ends up.
func (p *pair) proof(t *testing.T, prover *kit.Prover) string {
	t.Helper()
	raw, err := prover.Sign(prover.Proof(http.MethodPost, p.a.Config.Token, ""))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// send sends a form with a proof to a node's token endpoint.
func (p *pair) send(t *testing.T, node string, form url.Values, proof string) *kit.Response {
	t.Helper()
	r, err := p.a.As(p.client, kit.Request{URL: node + "/token", Form: form, Header: http.Header{"Dpop": {proof}}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := p.a.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}
