package app

import (
	"encoding/json"
	"os"
)

// ready is what the ready file tells programs that drive a development server.
type ready struct {
	Tenant             string    `json:"tenant"`
	CAFile             string    `json:"ca_file,omitempty"`
	DemoApp            string    `json:"demo_app"`
	EHRSimulator       string    `json:"ehr_simulator"`
	LaunchAPI          launchAPI `json:"launch_api"`
	Issuer             string    `json:"issuer"`
	FHIRBase           string    `json:"fhir_base"`
	SMARTConfiguration string    `json:"smart_configuration"`
	UpstreamFHIRBase   string    `json:"upstream_fhir_base"`
	Console            string    `json:"console"`
	Clock              string    `json:"clock"`
	Outbox             string    `json:"outbox"`
	AdminAPI           adminAPI  `json:"admin_api"`
	// UDAPCA is the anchor of the development community, with its key.
	UDAPCA  readyCommunity `json:"udap_ca"`
	Clients []readyClient  `json:"clients"`
	People  []readyPerson  `json:"people"`
	// Tenants are the others that were served when the file was written.
	Tenants []readyTenant `json:"tenants"`
}

type readyTenant struct {
	ID                 string   `json:"id"`
	Issuer             string   `json:"issuer"`
	FHIRBase           string   `json:"fhir_base"`
	SMARTConfiguration string   `json:"smart_configuration"`
	UpstreamFHIRBase   string   `json:"upstream_fhir_base"`
	AdminAPI           adminAPI `json:"admin_api"`
}

func (t *tenant) ready() readyTenant {
	return readyTenant{
		ID: t.id, Issuer: t.site.Issuer, FHIRBase: t.site.FHIRBase,
		SMARTConfiguration: t.site.FHIRBase + "/.well-known/smart-configuration", UpstreamFHIRBase: t.row.Upstream,
		AdminAPI: adminAPI{URL: t.site.Issuer + "/admin", Token: t.adminToken()},
	}
}

type launchAPI struct {
	URL      string `json:"url"`
	ClientID string `json:"client_id"`
}

type adminAPI struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

type readyClient struct {
	ClientID     string          `json:"client_id"`
	Kind         string          `json:"kind"`
	ClientSecret string          `json:"client_secret,omitempty"`
	PrivateJWKS  json.RawMessage `json:"private_jwks,omitempty"`
	RedirectURIs []string        `json:"redirect_uris"`
	LaunchURIs   []string        `json:"launch_uris"`
	Scopes       string          `json:"scopes"`

	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`

	AppStateCodes     []string `json:"app_state_codes,omitempty"`
	AppStateReadCodes []string `json:"app_state_read_codes,omitempty"`
	AppStateGlobal    bool     `json:"app_state_global,omitempty"`
	// EvaluateAccess says that it may ask for decisions.
	EvaluateAccess bool `json:"evaluate_access,omitempty"`
	// IntrospectConsents says that it is told what Consents withhold.
	IntrospectConsents bool `json:"introspect_consents,omitempty"`
	// TokenExchange and MayAct say who acts with whose tokens.
	TokenExchange bool     `json:"token_exchange,omitempty"`
	MayAct        []string `json:"may_act,omitempty"`
	// DeviceFlow says that the client is a device without keyboard.
	DeviceFlow bool `json:"device_authorization,omitempty"`
}

// readyCommunity lets a program issue certificates that this server trusts.
type readyCommunity struct {
	Community   string `json:"community"`
	Certificate string `json:"certificate"`
	PrivateKey  string `json:"private_key"`
	// CRLRefresh is in seconds.
	CRLRefresh int `json:"crl_refresh"`
}

type readyPerson struct {
	Username   string   `json:"username"`
	Password   string   `json:"password"`
	TOTPSecret string   `json:"totp_secret,omitempty"`
	Role       string   `json:"role"`
	FHIRUser   string   `json:"fhir_user"`
	Patients   []string `json:"patients"`
}

func readyPeople(people []demoPerson) []readyPerson {
	var out []readyPerson
	for _, p := range people {
		out = append(out, readyPerson{
			Username: p.username, Password: p.password(), TOTPSecret: p.totpSecret(),
			Role: string(p.role), FHIRUser: p.fhirUser(), Patients: p.patients(),
		})
	}
	return out
}

// write puts the file in place in one step, so that who waits for it never
// reads half of it.
func (r ready) write(path string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
