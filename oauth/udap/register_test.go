package udap

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/oauth"
)

// registry is a store of clients in memory; what the tests do not use is nil.
type registry struct {
	oauth.Tx
	clients map[string]oauth.Client
	used    map[string]bool
	events  []audit.Event
}

func (r *registry) ClientByID(_ context.Context, _, id string) (oauth.Client, error) {
	c, ok := r.clients[id]
	if !ok {
		return c, errs.New(errs.NotFound, "client-not-found", "no")
	}
	return c, nil
}

func (r *registry) Clients(context.Context, string) ([]oauth.Client, error) {
	return slices.Collect(maps.Values(r.clients)), nil
}

func (r *registry) PutClient(_ context.Context, c oauth.Client) error {
	r.clients[c.ID] = c
	return nil
}

func (r *registry) UseAssertion(_ context.Context, _, issuer, jti string, _ time.Time) error {
	if r.used[issuer+jti] {
		return errs.New(errs.Conflict, "assertion-used", "no")
	}
	r.used[issuer+jti] = true
	return nil
}

func (r *registry) AppendAudit(_ context.Context, e audit.Event) error {
	r.events = append(r.events, e)
	return nil
}

func (r *registry) runner() txn.Runner[oauth.Tx] {
	return txn.Func[oauth.Tx](func(_ context.Context, fn func(oauth.Tx) error) error { return fn(r) })
}

// desk is a world with a registrar.
type desk struct {
	*world
	store     *registry
	registrar *Registrar
	n         int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{world: newWorld(t), store: &registry{clients: map[string]oauth.Client{}, used: map[string]bool{}}}
	d.registrar = &Registrar{Trust: d.trust, Tx: d.store.runner(), Scopes: "openid launch/patient patient/*.rs system/*.rs"}
	return d
}

func (d *desk) claims(people bool) map[string]any {
	d.n++
	now := d.clock.Now().Unix()
	c := map[string]any{
		"iss": clientURI, "sub": clientURI, "aud": endpoint, "iat": now, "exp": now + 240, "jti": string(rune('a' + d.n)),
		"client_name": "Client", "contacts": []string{"mailto:a@clinic.example"}, "grant_types": []string{"client_credentials"},
		"token_endpoint_auth_method": "private_key_jwt", "scope": "system/Patient.rs",
	}
	if people {
		maps.Copy(c, map[string]any{
			"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"}, "scope": "openid patient/Patient.rs",
			"redirect_uris": []string{"https://clinic.example/cb"}, "logo_uri": "https://clinic.example/logo.PNG",
		})
	}
	return c
}

func (d *desk) sign(c Credential, claims map[string]any) string {
	d.t.Helper()
	signed, err := Sign(c, claims)
	if err != nil {
		d.t.Fatal(err)
	}
	return signed
}

func (d *desk) submit(signed string, certifications ...string) (Answer, error) {
	body, err := json.Marshal(map[string]any{"udap": "1", "software_statement": signed, "certifications": certifications})
	if err != nil {
		d.t.Fatal(err)
	}
	return d.registrar.Register(context.Background(), Call{Tenant: "default", Endpoint: endpoint, Body: body})
}

// UDP-15, 19, 21, 22: a registration lives, changes, is cancelled and comes back;
// each act leaves an event.
func TestRegistrationLives(t *testing.T) {
	d := newDesk(t)
	m := d.member(d.root, nil)
	first, err := d.submit(d.sign(m, d.claims(false)))
	if err != nil || !first.Fresh || first.ClientID != ClientID(community, clientURI) || first.Scope != "system/Patient.rs" {
		t.Fatalf("%+v %v", first, err)
	}
	c := d.store.clients[first.ClientID]
	if c.Kind != oauth.ClientBackend || c.UDAP.Issuer != clientURI || len(c.UDAP.Chains) != 1 || c.Publisher != "Clinic" || c.Registration.By != oauth.RegisteredByUDAP {
		t.Errorf("%+v", c)
	}
	second := d.member(d.root, nil)
	changed, err := d.submit(d.sign(second, d.claims(true)))
	if err != nil || changed.Fresh || changed.ClientID != first.ClientID {
		t.Fatalf("%+v %v", changed, err)
	}
	after := d.store.clients[first.ClientID]
	if after.Kind != oauth.ClientAsymmetric || len(after.UDAP.Chains) != 2 || after.Epoch != c.Epoch+1 || after.GrantsFrom.IsZero() || !after.Created.Equal(c.Created) {
		t.Errorf("%+v", after)
	}
	cancel := d.claims(true)
	cancel["grant_types"] = []string{}
	gone, err := d.submit(d.sign(m, cancel))
	if err != nil || gone.GrantTypes == nil || len(gone.GrantTypes) != 0 || !d.store.clients[first.ClientID].Disabled || d.store.clients[first.ClientID].Epoch != after.Epoch+1 {
		t.Fatalf("%+v %v", gone, err)
	}
	cancel["jti"] = "again"
	if _, err := d.submit(d.sign(m, cancel)); code(err) != "udap-metadata" {
		t.Errorf("cancelled twice: %v", err)
	}
	back, err := d.submit(d.sign(m, d.claims(false)))
	if err != nil || !back.Fresh || d.store.clients[first.ClientID].Disabled {
		t.Fatalf("%+v %v", back, err)
	}
	// What an operator did stands.
	c = d.store.clients[first.ClientID]
	c.DPoPBound = true
	d.store.clients[first.ClientID] = c
	if held, err := d.submit(d.sign(m, d.claims(false))); err != nil || !held.DPoPBound || !d.store.clients[first.ClientID].DPoPBound {
		t.Errorf("a binding that an operator asks for: %+v %v", held, err)
	}
	c = d.store.clients[first.ClientID]
	c.Disabled = true
	d.store.clients[first.ClientID] = c
	if _, err := d.submit(d.sign(m, d.claims(false))); !errs.Is(err, errs.UnapprovedSoftwareStatement) || code(err) != "udap-client-disabled" {
		t.Errorf("disabled by an operator: %v", err)
	}
	if len(d.store.events) != 7 || d.store.events[0].Kind != audit.ClientRegistered || d.store.events[6].Reason != "udap-client-disabled" {
		t.Errorf("%d events", len(d.store.events))
	}
}

// UDP-11, 13, 16: what is wrong with a statement, and under which name.
func TestHostileStatements(t *testing.T) {
	d := newDesk(t)
	m := d.member(d.root, nil)
	now := d.clock.Now().Unix()
	for what, c := range map[string]struct {
		bend func(map[string]any)
		kind errs.Kind
		code string
	}{
		"another audience": {set("aud", "https://other.example"), errs.InvalidSoftwareStatement, "udap-jwt-audience"},
		"another subject":  {set("sub", "https://other.example"), errs.InvalidSoftwareStatement, "udap-jwt-issuer"},
		"another name":     {func(c map[string]any) { c["iss"], c["sub"] = clientURI+"/", clientURI+"/" }, errs.InvalidSoftwareStatement, "udap-certificate-subject"},
		"six minutes":      {set("exp", now+361), errs.InvalidSoftwareStatement, "udap-jwt-time"},
		"over":             {set("exp", now), errs.InvalidSoftwareStatement, "udap-jwt-time"},
		"backwards":        {func(c map[string]any) { c["iat"], c["exp"] = now+50, now+40 }, errs.InvalidSoftwareStatement, "udap-jwt-time"},
		"no jti":           {set("jti", ""), errs.InvalidSoftwareStatement, "udap-jwt-jti"},
		"numbers":          {set("client_name", 7), errs.InvalidSoftwareStatement, "udap-jwt"},
		"no scope left":    {set("scope", "patient/*.rs"), errs.InvalidClientMetadata, "udap-scope"},
		"an odd contact":   {set("contacts", []string{"mailto:a@clinic.example", "javascript:alert(1)"}), errs.InvalidClientMetadata, "client-metadata-refused"},
		"a binding":        {set("tls_client_certificate_bound_access_tokens", true), errs.InvalidClientMetadata, "client-binding-not-offered"},
		"an odd name":      {set("client_name", "Clinic\u202e"), errs.InvalidClientMetadata, "client-metadata-refused"},
	} {
		claims := d.claims(false)
		c.bend(claims)
		if _, err := d.submit(d.sign(m, claims)); !errs.Is(err, c.kind) || code(err) != c.code {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := d.submit(d.sign(d.member(d.other, nil), d.claims(false))); !errs.Is(err, errs.UnapprovedSoftwareStatement) {
		t.Errorf("a foreign certificate: %v", err)
	}
	good := d.sign(m, d.claims(false))
	parts := strings.Split(good, ".")
	for what, raw := range map[string]string{
		"no signature": parts[0] + "." + parts[1] + ".", "another payload": parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2], "nothing": "", "long": strings.Repeat("a", maxJWT+1),
	} {
		if _, err := d.submit(raw); !errs.Is(err, errs.InvalidSoftwareStatement) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if len(d.store.clients) != 0 {
		t.Errorf("%d clients", len(d.store.clients))
	}
	if _, err := d.submit(good); err != nil {
		t.Fatal(err)
	}
	if _, err := d.submit(good); code(err) != "udap-jwt-replayed" {
		t.Errorf("a replay: %v", err)
	}
}

func set(name string, value any) func(map[string]any) {
	return func(c map[string]any) { c[name] = value }
}

// UDP-23: a required certification must be there, be about the client, and come
// from a member.
func TestCertifications(t *testing.T) {
	d := newDesk(t)
	d.trust.Communities[0].Certifications = []string{"https://certifier.example/good"}
	m := d.member(d.root, nil)
	certify := func(by Credential, bend func(map[string]any)) string {
		now := d.clock.Now().Unix()
		c := map[string]any{"iss": clientURI, "sub": clientURI, "iat": now, "exp": now + 86400, "certification_uris": []string{"https://certifier.example/good"}}
		bend(c)
		return d.sign(by, c)
	}
	for what, c := range map[string]struct {
		shown []string
		want  string
	}{
		"good":                   {[]string{"nonsense", certify(m, func(map[string]any) {})}, ""},
		"none":                   {nil, "udap-certification-missing"},
		"another one":            {[]string{certify(m, set("certification_uris", []string{"https://certifier.example/bad"}))}, "udap-certification-missing"},
		"about somebody else":    {[]string{certify(m, set("sub", "https://other.example"))}, "udap-certification-missing"},
		"over":                   {[]string{certify(m, set("exp", d.clock.Now().Unix()))}, "udap-certification-missing"},
		"by somebody else":       {[]string{certify(m, set("iss", "https://other.example"))}, "udap-certification-missing"},
		"by a foreign certifier": {[]string{certify(d.member(d.other, nil), func(map[string]any) {})}, "udap-certification-missing"},
	} {
		if _, err := d.submit(d.sign(m, d.claims(false)), c.shown...); code(err) != c.want {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// UDP-25: an assertion is the client's own, or none.
func TestAssertions(t *testing.T) {
	d := newDesk(t)
	m := d.member(d.root, named)
	d.publish(d.root, nil)
	first, err := d.submit(d.sign(m, d.claims(false)))
	if err != nil {
		t.Fatal(err)
	}
	c, now := d.store.clients[first.ClientID], d.clock.Now().Unix()
	assert := func(by Credential, bend func(map[string]any)) (oauth.CertifiedAssertion, error) {
		claims := map[string]any{"iss": c.ID, "sub": c.ID, "aud": "https://as.example/token", "iat": now, "exp": now + 300, "jti": "1"}
		bend(claims)
		return d.trust.Assert(t.Context(), c, d.sign(by, claims), []string{"https://as.example/token"})
	}
	nothing := func(map[string]any) {}
	out, err := assert(m, set("extensions", map[string]any{"hl7-b2b": map[string]any{"version": "1"}}))
	if err != nil || !c.UDAP.Knows(out.Chain) || out.JTI != "1" || len(out.Extensions) != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	renewed, err := assert(d.member(d.root, nil), nothing)
	if err != nil || c.UDAP.Knows(renewed.Chain) || len(c.UDAP.Remember(renewed.Chain).Chains) != 2 {
		t.Errorf("a renewed certificate: %+v %v", renewed, err)
	}
	for what, bend := range map[string]func(map[string]any){
		"another client": func(x map[string]any) { x["iss"], x["sub"] = "other", "other" }, "another audience": set("aud", "https://other.example"),
		"no iat": set("iat", nil), "301 seconds": set("exp", now+301), "no jti": set("jti", ""),
	} {
		if _, err := assert(m, bend); !errs.Is(err, errs.InvalidClient) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := assert(d.member(d.other, nil), nothing); code(err) != "udap-certificate-untrusted" {
		t.Errorf("a foreign certificate: %v", err)
	}
	d.publish(d.root, nil, m)
	d.clock.Advance(time.Minute)
	if _, err := assert(m, nothing); !errs.Is(err, errs.InvalidClient) || code(err) != "udap-certificate-revoked" {
		t.Errorf("a revoked certificate: %v", err)
	}
}

// A revoked certificate ends what was given for it, once; one of which nothing is
// known ends nothing.
func TestSweep(t *testing.T) {
	d := newDesk(t)
	m := d.member(d.root, named)
	d.publish(d.root, nil)
	first, err := d.submit(d.sign(m, d.claims(false)))
	if err != nil {
		t.Fatal(err)
	}
	sweeper := &Sweeper{Trust: d.trust, Read: d.store, Tx: d.store.runner()}
	sweep := func() oauth.Client {
		t.Helper()
		d.clock.Advance(2 * time.Hour)
		if err := sweeper.Sweep(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		return d.store.clients[first.ClientID]
	}
	d.list = nil
	if c := sweep(); c.Epoch != 0 {
		t.Error("tokens ended although nothing is known")
	}
	d.publish(d.root, nil, m)
	c := sweep()
	if c.Epoch != 1 || d.clock.Now().Sub(c.GrantsFrom) > time.Minute || len(c.UDAP.Chains) != 0 || c.Disabled {
		t.Errorf("%+v", c)
	}
	if e := d.store.events[len(d.store.events)-1]; e.Kind != audit.ClientChanged || e.Reason != reasonRevoked || e.ClientID != c.ID {
		t.Errorf("%+v", e)
	}
	if c := sweep(); c.Epoch != 1 {
		t.Error("tokens ended twice")
	}
	good := d.member(d.root, nil)
	if _, err := d.submit(d.sign(good, d.claims(false))); err != nil {
		t.Fatal(err)
	}
	if c := sweep(); c.Epoch != 1 {
		t.Error("a good certificate ended tokens")
	}
	d.trust.Communities[0].Anchors = d.other.Chain
	if c := sweep(); c.Epoch != 2 {
		t.Error("the anchor is gone and the tokens live")
	}
}

// UDP-20
func TestNegotiate(t *testing.T) {
	const most = "openid offline_access patient/*.rs system/Observation.rs"
	for _, c := range []struct {
		asked  string
		itself bool
		want   string
	}{
		{"system/Observation.rs", true, "system/Observation.rs"}, {"system/Observation.cruds", true, "system/Observation.rs"},
		{"system/*.rs", true, "system/Observation.rs"}, {"system/Patient.rs", true, ""}, {"openid", true, ""}, {"nonsense", false, ""},
		{"openid patient/Patient.read udap", false, "openid patient/Patient.read"}, {"patient/Patient.cruds", false, "patient/Patient.rs"},
		{"offline_access openid openid", false, "offline_access openid"}, {"user/*.rs system/*.rs", false, ""}, {"patient/Nonsense.rs", false, ""},
	} {
		got, err := Negotiate(c.asked, most, c.itself)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %q %v", c.asked, got, err)
		}
	}
}
