package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/freeport"
	"github.com/mandate-health/mandate/internal/ids"
)

// ExtraTenant is the id of a second tenant that a server of the suite's own
// serves beside the default one.
const ExtraTenant = "selftest"

// Extras are clients beyond those of the demonstration that the suite registers
// with a server of its own.
type Extras struct {
	clients []kit.Client
	// authority vouches for the certificate of one of them.
	authority *kit.ClientAuthority
	// keyHost is where the suite publishes the keys of one of them, documentHost
	// where it publishes documents that describe further ones.
	keyHost, documentHost string
}

// NewExtras makes the clients with fresh keys and secrets. Errors: those of the
// machine, such as no free port.
func NewExtras() (*Extras, error) {
	e := &Extras{}
	var err error
	for _, host := range []*string{&e.keyHost, &e.documentHost} {
		if *host, err = freeport.Take(); err != nil {
			return nil, err
		}
	}
	secret := ids.Source{}.Secret()
	for _, c := range []kit.Client{
		{ID: "selftest-second", Kind: "backend", Scopes: "system/*.cruds"},
		{ID: "selftest-narrow", Kind: "backend", Scopes: "system/Patient.rs"},
		{ID: "selftest-keys", Kind: "backend", Scopes: "system/*.cruds", JWKSURI: "http://" + e.keyHost + "/jwks.json"},
		{ID: "selftest-pushes", Kind: "asymmetric", Pushes: true, AuthAlg: "ES256", RedirectURIs: []string{"https://selftest.example/callback"}},
		{ID: "selftest-stepup", Kind: "public", RedirectURIs: []string{"https://selftest.example/callback"}, StepUp: []kit.StepUp{{Scope: "patient/Patient.rs", MaxAge: 300}}},
		{ID: "selftest-dpop", Kind: "public", DPoPBound: true, RedirectURIs: []string{"https://selftest.example/callback"}},
		{ID: "selftest-group", Kind: "backend", PatientGroup: "lakeside-home-care", Scopes: "system/*.cruds"},
		{ID: "selftest-details", Kind: "public", Details: []string{"smart_on_fhir"}, RedirectURIs: []string{"https://selftest.example/callback"}},
		{ID: "selftest-fapi", Kind: "asymmetric", AuthAlg: "ES256", TLS: kit.TLS{Profile: "fapi2"}, RedirectURIs: []string{"https://selftest.example/callback"}},
		{ID: "selftest-nonce", Kind: "backend", DPoPNonce: true, Scopes: "system/*.rs"},
		{ID: "self:test%41+b", Kind: "symmetric", Secret: "a:b%20c+d e/" + secret, RedirectURIs: []string{"https://selftest.example/callback"}},
	} {
		if c.Kind == "backend" || c.Kind == "asymmetric" {
			if c.PrivateJWKS, err = kit.MakeKeys(c.ID); err != nil {
				return nil, err
			}
		}
		e.clients = append(e.clients, c)
	}
	return e, e.certify()
}

// DocumentHost is the host whose documents the server must take as descriptions
// of clients, for --client-document-host.
func (e *Extras) DocumentHost() string { return e.documentHost }

// WriteClients writes the registrations as mandate --client reads them.
func (e *Extras) WriteClients(path string) error {
	var out []map[string]any
	for _, c := range e.clients {
		m := map[string]any{"client_id": c.ID, "kind": c.Kind, "client_name": "Self-test", "redirect_uris": c.RedirectURIs}
		if len(c.StepUp) > 0 {
			m["step_up"] = c.StepUp
		}
		if c.Pushes {
			m["require_pushed_authorization_requests"] = true
			m["token_endpoint_auth_signing_alg"] = c.AuthAlg
		}
		if c.Profile != "" {
			m["security_profile"] = c.Profile
		}
		if c.Scopes != "" {
			m["scopes"] = c.Scopes
		}
		if c.DPoPBound {
			m["dpop_bound_access_tokens"] = true
		}
		if len(c.MayAct) > 0 {
			m["may_act"] = c.MayAct
		}
		if c.TokenExchange {
			m["token_exchange"] = true
		}
		if c.PatientGroup != "" {
			m["patient_group"] = c.PatientGroup
		}
		if len(c.Details) > 0 {
			m["authorization_details_types"] = c.Details
		}
		if c.DPoPNonce {
			m["dpop_nonce_required"] = true
		}
		if err := certificates(c, m); err != nil {
			return err
		}
		switch {
		case c.Secret != "":
			m["client_secret"] = c.Secret
		case c.JWKSURI != "":
			m["jwks_uri"] = c.JWKSURI
		case len(c.PrivateJWKS) == 0: // an app without a credential
		default:
			public, err := c.PublicJWKS()
			if err != nil {
				return err
			}
			m["jwks"] = public
		}
		out = append(out, m)
	}
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// Complete adds the clients to a ready file. Errors name the file.
func (e *Extras) Complete(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("the ready file cannot be read: %w", err)
	}
	doc := map[string]any{}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return fmt.Errorf("the ready file %s is not JSON: %w", path, err)
	}
	// A server tells of the clients that it registered too, but knows no private
	// keys of theirs.
	told, _ := doc["clients"].([]any)
	clients := slices.DeleteFunc(told, func(raw any) bool {
		one, _ := raw.(map[string]any)
		return slices.ContainsFunc(e.clients, func(c kit.Client) bool { return one["client_id"] == c.ID })
	})
	for _, c := range e.clients {
		clients = append(clients, c)
	}
	doc["clients"], doc["key_host"], doc["document_host"] = clients, e.keyHost, e.documentHost
	if raw, err = json.MarshalIndent(doc, "", "  "); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}
