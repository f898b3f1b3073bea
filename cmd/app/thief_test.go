//go:build mutation

package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/oauth/engine"
)

// loot is a record with a canary, as a stolen token of Rosa's app may or may not
// reach it.
type loot struct{ name, canary, typ, patient, security string }

var loots = []loot{
	{"what the token itself reaches", "LOOT-OWN", "Observation", "rosa", `{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}`},
	{"another patient", "LOOT-OTHER", "Observation", "noah", `{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}`},
	{"type without a scope", "LOOT-TYPE", "Condition", "rosa", `{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}`},
	{"topic not shared", "LOOT-HIV", "Observation", "rosa", `{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}`},
}

// stock writes the loot at the FHIR server behind.
func (s *server) stock(t *testing.T) {
	t.Helper()
	for _, l := range loots {
		id := strings.ToLower(l.canary)
		body := fmt.Sprintf(`{"resourceType":%q,"id":%q,"meta":{"security":[%s]},"status":"final","code":{"text":%q},"subject":{"reference":"Patient/%s"}}`,
			l.typ, id, l.security, l.canary, l.patient)
		res := s.do(t, kit.Request{Method: http.MethodPut, URL: s.Upstream + "/" + l.typ + "/" + id, Body: strings.NewReader(body), Type: "application/fhir+json"})
		if res.Status >= 300 {
			t.Fatal(res)
		}
	}
}

// carried is how a token is shown: under which scheme and with what beside it.
type carried struct {
	what, scheme string
	beside       func(address string) http.Header
}

// theft is a bound token that was stolen, with how its owner and its thieves show
// it.
type theft struct {
	name, token string
	owner       carried
	thieves     []carried
}

func plainly(string) http.Header { return http.Header{} }

// ofProof steals a token that is bound to a DPoP key (RFC 9449).
func (s *server) ofProof(t *testing.T, l kit.Launch) theft {
	t.Helper()
	own, err := s.NewProver()
	if err != nil {
		t.Fatal(err)
	}
	thief, err := s.NewProver()
	if err != nil {
		t.Fatal(err)
	}
	g, err := own.Launch(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	by := func(p *kit.Prover) func(string) http.Header {
		return func(address string) http.Header {
			proof, err := p.Sign(p.Proof(http.MethodGet, address, g.Access()))
			if err != nil {
				t.Fatal(err)
			}
			return http.Header{"Dpop": {proof}}
		}
	}
	// The owner's proof for one request was used for it before.
	overheard := by(own)(s.FHIRBase + "/" + loots[0].path())
	owner := carried{"its key", "DPoP", by(own)}
	s.shown(t, theft{token: g.Access()}, carried{"", "DPoP", func(string) http.Header { return overheard }}, loots[0].path())
	return theft{"thief of a token bound to a DPoP key", g.Access(), owner, []carried{
		{"no proof", "Bearer", plainly}, {"the scheme alone", "DPoP", plainly}, {"another key", "DPoP", by(thief)},
		{"a proof that was used", "DPoP", func(string) http.Header { return overheard }},
	}}
}

// ofCertificate steals a token that is bound to a TLS client certificate (RFC
// 8705), which a proxy on this machine hands on.
func (s *server) ofCertificate(t *testing.T, l kit.Launch) theft {
	t.Helper()
	pair := func() func(string) http.Header {
		p, err := (*kit.ClientAuthority)(nil).Pair("thieves.example")
		if err != nil {
			t.Fatal(err)
		}
		return func(string) http.Header { return http.Header{"Client-Cert": {p.Header()}} }
	}
	own, other := pair(), pair()
	g, err := s.Code(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.As(l.Client, kit.Request{URL: s.Config.Token, Form: kit.CodeForm(g.Code, g.Redirect, g.Verifier), Header: own("")})
	if err != nil {
		t.Fatal(err)
	}
	res := s.do(t, r)
	if res.Status != http.StatusOK {
		t.Fatal(res)
	}
	return theft{"thief of a token bound to a certificate", res.Text("access_token"), carried{"its certificate", "Bearer", own},
		[]carried{{"no certificate", "Bearer", plainly}, {"another certificate", "Bearer", other}}}
}

func (l loot) path() string { return l.typ + "/" + strings.ToLower(l.canary) }

// shown shows a stolen token for a path.
func (s *server) shown(t *testing.T, x theft, c carried, path string) *kit.Response {
	t.Helper()
	address := s.FHIRBase + "/" + path
	h := c.beside(address).Clone()
	h.Set("Authorization", c.scheme+" "+x.token)
	return s.do(t, kit.Request{URL: address, Header: h})
}

// reached gives what a way to show a token brings.
func (s *server) reached(t *testing.T, x theft, c carried) (names []string) {
	t.Helper()
	var all strings.Builder
	for _, path := range []string{"Observation?_count=200", "Observation?patient=noah", "Patient/rosa/$everything?_count=1000", "Condition?_count=200"} {
		all.Write(s.shown(t, x, c, path).Body)
	}
	for _, l := range loots {
		all.Write(s.shown(t, x, c, l.path()).Body)
		if strings.Contains(all.String(), l.canary) {
			names = append(names, l.name)
		}
	}
	return names
}

// The layer before all others: whoever stole a bound token, without what it is
// bound to, gets nothing. With that layer away they get what the token is for,
// which the threat model says.
func TestThieves(t *testing.T) {
	const redirect = "https://thieves.example/cb"
	clients, err := json.Marshal([]map[string]any{
		{"client_id": "proving", "kind": "public", "redirect_uris": []string{redirect}},
		{"client_id": "certified", "kind": "public", "redirect_uris": []string{redirect}, "tls_client_certificate_bound_access_tokens": true},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "clients.json")
	if err := os.WriteFile(path, clients, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, func(c *app.Config) {
		c.ClientFiles = append(c.ClientFiles, path)
		c.MTLS.Proxies = []string{"127.0.0.0/8", "::1/128"}
	})
	s.stock(t)
	launch := func(id string) kit.Launch {
		return kit.Launch{
			Client: kit.Client{ID: id, Kind: "public", RedirectURIs: []string{redirect}}, Scope: "launch/patient patient/Patient.rs patient/Observation.rs",
			Visit: kit.Visit{Person: "rosa"},
		}
	}
	thefts := []theft{s.ofProof(t, launch("proving")), s.ofCertificate(t, launch("certified"))}
	table := "| without | what leaves, and to whom |\n|---|---|\n"
	for _, layer := range []struct {
		name string
		off  func() (restore func())
	}{
		{"none", func() func() { return func() {} }},
		{"sender constraint", engine.WithoutSenderConstraint},
	} {
		restore := layer.off()
		who := map[string][]string{}
		for _, x := range thefts {
			if got := s.reached(t, x, x.owner); !slices.Equal(got, []string{loots[0].name}) {
				t.Errorf("without %s the owner of the token that the %s has gets %v", layer.name, x.name, got)
			}
			for _, c := range x.thieves {
				for _, what := range s.reached(t, x, c) {
					if !slices.Contains(who[what], x.name) {
						who[what] = append(who[what], x.name)
					}
				}
				if res := s.shown(t, x, c, loots[0].path()); (res.Status == http.StatusUnauthorized) != (layer.name == "none") {
					t.Errorf("without %s the %s with %s: %s", layer.name, x.name, c.what, res)
				}
			}
		}
		restore()
		var cells []string
		for _, l := range loots {
			if who[l.name] != nil {
				cells = append(cells, l.name+": "+strings.Join(who[l.name], ", "))
			}
		}
		if cells == nil {
			cells = []string{"nothing"}
		}
		table += "| " + layer.name + " | " + strings.Join(cells, "; ") + " |\n"
	}
	generated(t, "../../docs/threat-model.md", "thieves", table)
}
