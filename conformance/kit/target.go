package kit

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/ids"
)

// Ready is what the ready file of a development server tells. All but FHIRBase
// may be empty.
type Ready struct {
	CAFile       string `json:"ca_file"`
	DemoApp      string `json:"demo_app"`
	EHRSimulator string `json:"ehr_simulator"`
	LaunchAPI    struct {
		URL      string `json:"url"`
		ClientID string `json:"client_id"`
	} `json:"launch_api"`
	Issuer   string `json:"issuer"`
	FHIRBase string `json:"fhir_base"`
	Upstream string `json:"upstream_fhir_base"`
	Console  string `json:"console"`
	Clock    string `json:"clock"`
	Outbox   string `json:"outbox"`
	AdminAPI struct {
		URL   string `json:"url"`
		Token string `json:"token"`
	} `json:"admin_api"`
	// KeyHost is an address of this machine at which checks may publish the keys
	// of the client whose jwks_uri leads there.
	KeyHost string `json:"key_host"`
	// DocumentHost is an address of this machine at which checks may publish
	// documents that describe clients.
	DocumentHost string `json:"document_host"`
	// UDAPCA is an authority whose members the server trusts.
	UDAPCA  Community `json:"udap_ca"`
	Clients []Client  `json:"clients"`
	People  []Person  `json:"people"`
	// Tenants are further FHIR bases of the same process.
	Tenants []Tenant `json:"tenants"`
}

// Tenant is another FHIR base of the process.
type Tenant struct {
	ID       string `json:"id"`
	Issuer   string `json:"issuer"`
	FHIRBase string `json:"fhir_base"`
}

// Client is one registered client with its credentials.
type Client struct {
	ID           string          `json:"client_id"`
	Kind         string          `json:"kind"`
	Secret       string          `json:"client_secret,omitempty"`
	PrivateJWKS  json.RawMessage `json:"private_jwks,omitempty"`
	JWKSURI      string          `json:"jwks_uri,omitempty"`
	RedirectURIs []string        `json:"redirect_uris"`
	LaunchURIs   []string        `json:"launch_uris"`
	Scopes       string          `json:"scopes"`
	// StepUp are its requests that need a recent log-in.
	StepUp []StepUp `json:"step_up,omitempty"`
	// AuthAlg is the one algorithm of its assertions; empty means several.
	AuthAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`
	// Pushes says that the client must push its authorization requests.
	Pushes bool `json:"require_pushed_authorization_requests,omitempty"`
	// PostLogoutRedirectURIs are where a browser may go after a log-out.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris"`
	// AppStateCodes are the state codes that the client may change,
	// AppStateReadCodes those that it may only read; AppStateGlobal lets it change
	// state that is about nobody.
	AppStateCodes     []string `json:"app_state_codes"`
	AppStateReadCodes []string `json:"app_state_read_codes"`
	AppStateGlobal    bool     `json:"app_state_global"`
	// EvaluateAccess says that the client may ask for decisions (AuthZEN).
	EvaluateAccess bool `json:"evaluate_access,omitempty"`
	// IntrospectConsents says that introspection tells the client what Consents
	// withhold.
	IntrospectConsents bool `json:"introspect_consents,omitempty"`
	// TokenExchange says that the client acts with tokens of the apps that name it
	// in MayAct (RFC 8693).
	TokenExchange bool     `json:"token_exchange,omitempty"`
	MayAct        []string `json:"may_act,omitempty"`
	// DeviceFlow says that the client is a device without keyboard (RFC 8628).
	DeviceFlow bool `json:"device_authorization,omitempty"`
	// DPoPBound clients must send a DPoP proof, DPoPNonce ones with a nonce of
	// the server.
	DPoPBound bool `json:"dpop_bound_access_tokens,omitempty"`
	DPoPNonce bool `json:"dpop_nonce_required,omitempty"`
	// PatientGroup is the id of the Group to whose members a service is bound.
	PatientGroup string `json:"patient_group,omitempty"`
	// Details are the types of authorization_details that its token answers carry
	// (RFC 9396 §10).
	Details []string `json:"authorization_details_types,omitempty"`
	// Member is the certificate of a client that registered by UDAP, with the
	// authorization extensions that it states as a service.
	Member     *Member        `json:"-"`
	Extensions map[string]any `json:"-"`
	TLS
}

// Person is one account with its credentials.
type Person struct {
	Username   string   `json:"username"`
	Password   string   `json:"password"`
	TOTPSecret string   `json:"totp_secret"`
	Role       string   `json:"role"`
	FHIRUser   string   `json:"fhir_user"`
	Patients   []string `json:"patients"`
}

// Target is the server under test. It is safe for concurrent use, but rows
// that move the clock disturb others.
type Target struct {
	Ready
	HTTP *http.Client
	// Config is the SMART configuration, read once.
	Config Configuration
	// OpenID is what only the OpenID configuration tells.
	OpenID OpenID
	ids    ids.Source
	clock  clock.Clock

	mu       sync.Mutex
	offset   time.Duration
	browsers map[string]*Browser
	tokens   map[string]*Grant
}

// Configuration is a smart-configuration document.
type Configuration struct {
	Issuer              string   `json:"issuer"`
	JWKSURI             string   `json:"jwks_uri"`
	Authorize           string   `json:"authorization_endpoint"`
	Token               string   `json:"token_endpoint"`
	Introspect          string   `json:"introspection_endpoint"`
	Registration        string   `json:"registration_endpoint"`
	Revoke              string   `json:"revocation_endpoint"`
	Management          string   `json:"management_endpoint"`
	Device              string   `json:"device_authorization_endpoint"`
	GrantTypes          []string `json:"grant_types_supported"`
	ResponseTypes       []string `json:"response_types_supported"`
	Scopes              []string `json:"scopes_supported"`
	ChallengeMethods    []string `json:"code_challenge_methods_supported"`
	TokenAuthMethods    []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	DPoPAlgorithms      []string `json:"dpop_signing_alg_values_supported"`
	Capabilities        []string `json:"capabilities"`
	IssParameter        bool     `json:"authorization_response_iss_parameter_supported"`
	Push                string   `json:"pushed_authorization_request_endpoint"`
	Aliases             Aliases  `json:"mtls_endpoint_aliases"`
	CertificateBound    bool     `json:"tls_client_certificate_bound_access_tokens"`
}

// OpenID is a part of an openid-configuration document.
type OpenID struct {
	RequestParameter bool `json:"request_parameter_supported"`
	// IntrospectionAlgs is there where answers about tokens can be signed (RFC
	// 9701 §7).
	IntrospectionAlgs []string `json:"introspection_signing_alg_values_supported"`
	// ClientDocuments says that a client_id may be the address of a document.
	ClientDocuments bool `json:"client_id_metadata_document_supported"`
}

// Claims reports whether a capability is claimed.
func (c Configuration) Claims(capability string) bool {
	return slices.Contains(c.Capabilities, capability)
}

// ReadReady reads a ready file. Errors name the file.
func ReadReady(path string) (Ready, error) {
	var r Ready
	raw, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("the ready file cannot be read: %w", err)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return r, fmt.Errorf("the ready file %s is not JSON: %w", path, err)
	}
	return r, nil
}

// NewTarget makes a target and reads its SMART configuration.
func NewTarget(ctx context.Context, r Ready) (*Target, error) {
	r.FHIRBase = strings.TrimSuffix(r.FHIRBase, "/")
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 32
	if r.CAFile != "" {
		pem, err := os.ReadFile(r.CAFile)
		if err != nil {
			return nil, fmt.Errorf("the certificate of the server's authority cannot be read: %w", err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	}
	t := &Target{
		Ready: r, clock: clock.System{}, browsers: map[string]*Browser{}, tokens: map[string]*Grant{},
		HTTP: &http.Client{
			Transport: transport, Timeout: 60 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	res, err := t.Do(ctx, Request{URL: t.FHIRBase + "/.well-known/smart-configuration"})
	if err != nil {
		return nil, fmt.Errorf("the server does not answer: %w", err)
	}
	if res.Status != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", res.URL, res.Status)
	}
	if err := json.Unmarshal(res.Body, &t.Config); err != nil {
		return nil, fmt.Errorf("the SMART configuration is not JSON: %w", err)
	}
	if res, err := t.Do(ctx, Request{URL: strings.TrimSuffix(t.Config.Issuer, "/") + "/.well-known/openid-configuration"}); err == nil && t.Config.Issuer != "" {
		// A server without one has nothing of it.
		_ = json.Unmarshal(res.Body, &t.OpenID)
	}
	if r.Clock == "" {
		return t, nil
	}
	// Somebody may have moved the server's clock before.
	return t, t.Advance(ctx, 0)
}

// Has gives the means that the target offers.
func (t *Target) Has() Need {
	var n Need
	set := func(need Need, has bool) {
		if has {
			n |= need
		}
	}
	set(Login, len(t.People) > 0 && t.find("public") != nil)
	set(Backend, t.find("backend") != nil)
	set(Asymmetric, t.find("asymmetric") != nil)
	set(Symmetric, t.find("symmetric") != nil)
	set(Launcher, t.LaunchAPI.URL != "")
	_, rosa := t.person("rosa")
	_, elena := t.person("elena")
	set(Proxies, rosa && elena)
	set(Upstream, t.Upstream != "")
	set(Clock, t.Ready.Clock != "")
	set(Keys, t.KeyHost != "" && t.KeyClient().ID != "")
	set(Second, t.another("backend") != nil)
	set(Reserved, t.ReservedClient().ID != "")
	set(Narrow, t.NarrowClient().ID != "")
	set(Pushing, t.Config.Push != "")
	set(SignedAnswers, len(t.OpenID.IntrospectionAlgs) > 0)
	set(Signing, t.OpenID.RequestParameter)
	set(StepsUp, t.StepUpClient().ID != "")
	set(Pushes, t.PushClient().ID != "")
	set(DPoP, len(t.Config.DPoPAlgorithms) > 0)
	set(Bound, t.BoundClient().ID != "")
	set(Nonced, t.NoncedClient().ID != "")
	set(UDAP, t.UDAPCA.Certificate != "" && t.UDAPCA.PrivateKey != "")
	set(Profiled, t.Profiled("").ID != "")
	set(Certificates, t.certifies())
	set(Tenants, len(t.Ready.Tenants) > 0)
	_, _, handed := t.Handed()
	set(Agent, handed)
	set(Device, t.DeviceClient().ID != "" && t.Config.Device != "")
	set(Outbox, t.Outbox != "")
	set(Documents, t.DocumentHost != "")
	set(Grouped, t.GroupedClient().ID != "")
	set(Deciding, t.DecidingClient().ID != "")
	set(Disclosing, t.DisclosingClient().ID != "")
	set(Details, t.DetailsClient().ID != "")
	set(Admin, t.AdminAPI.URL != "" && t.AdminAPI.Token != "")
	return n
}

func (t *Target) person(username string) (Person, bool) {
	for _, p := range t.People {
		if p.Username == username {
			return p, true
		}
	}
	return Person{}, false
}

// Person gives the account of that name. An unknown name gives an account
// that nobody has.
func (t *Target) Person(username string) Person {
	if p, ok := t.person(username); ok {
		return p
	}
	return Person{Username: username, Password: t.Random()}
}

// Patient gives the username of a patient of the ready file: rosa where she is
// one, and the first patient otherwise.
func (t *Target) Patient() string {
	if _, ok := t.person("rosa"); ok {
		return "rosa"
	}
	for _, p := range t.People {
		if p.Role == "patient" {
			return p.Username
		}
	}
	return ""
}

// QuietPatient gives the username of a patient who is not the usual one, and so
// has few connections; the usual one where there is no other.
func (t *Target) QuietPatient() string {
	usual := t.Patient()
	for _, p := range t.People {
		if p.Role == "patient" && p.Username != usual {
			return p.Username
		}
	}
	return usual
}

// OtherPatient gives the id of a patient other than the one named.
func (t *Target) OtherPatient(id string) string {
	for _, p := range t.People {
		for _, other := range p.Patients {
			if p.Role == "patient" && other != id {
				return other
			}
		}
	}
	return ""
}

// Random gives an unguessable string.
func (t *Target) Random() string { return t.ids.Secret() }

// Now is the server's time as far as the target knows it.
func (t *Target) Now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clock.Now().Add(t.offset)
}

// Advance moves the server's clock.
func (t *Target) Advance(ctx context.Context, d time.Duration) error {
	return t.moveClock(ctx, map[string]string{"advance": d.String()})
}

// SetClock sets the server's clock.
func (t *Target) SetClock(ctx context.Context, now time.Time) error {
	return t.moveClock(ctx, map[string]string{"now": now.UTC().Format(time.RFC3339Nano)})
}

func (t *Target) moveClock(ctx context.Context, body map[string]string) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	res, err := t.Do(ctx, Request{Method: http.MethodPost, URL: t.Ready.Clock, Type: "application/json", Body: bytes.NewReader(raw)})
	if err != nil {
		return err
	}
	var answer struct {
		Now time.Time `json:"now"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || answer.Now.IsZero() {
		return fmt.Errorf("the clock route answers %d", res.Status)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.offset = answer.Now.Sub(t.clock.Now())
	return nil
}

// Await asks until the answer is yes or the time is up; it reports whether it
// was yes.
func (t *Target) Await(ctx context.Context, within time.Duration, yes func() bool) bool {
	end := time.NewTimer(within)
	defer end.Stop()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-ctx.Done():
			return false
		case <-end.C:
			return yes()
		case <-tick.C:
		}
	}
	return true
}
