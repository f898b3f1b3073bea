package registration_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/registration"
)

// keySet gives the public key set of one new EC key, and the same with its
// private member.
func keySet(t *testing.T, kid string) (public, private json.RawMessage) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.New(rand.NewSource(1)))
	if err != nil {
		t.Fatal(err)
	}
	marshal := func(v any) json.RawMessage {
		raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: v, KeyID: kid, Use: "sig"}}})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	return marshal(&key.PublicKey), marshal(key)
}

// app is the entry of an ordinary app that has no fault.
func app() registration.Entry {
	return registration.Entry{Metadata: registration.Metadata{
		Name: "Heart Diary", AuthMethod: "none", RedirectURIs: []string{"https://app.example/cb"},
		Scope: "openid fhirUser launch/patient offline_access patient/Observation.rs patient/Patient.read",
	}}
}

// Every kind of client registers by the names of RFC 7591, and an operator's
// short word for it means the same.
func TestEveryKindRegisters(t *testing.T) {
	keys, _ := keySet(t, "k1")
	backend := registration.Entry{Metadata: registration.Metadata{
		Name: "Export", AuthMethod: "private_key_jwt", GrantTypes: []string{"client_credentials"}, JWKS: keys, Scope: "system/*.rs",
	}}
	with := func(method string, jwks json.RawMessage, uri string) registration.Entry {
		e := app()
		e.AuthMethod, e.JWKS, e.JWKSURI = method, jwks, uri
		return e
	}
	for kind, list := range map[oauth.ClientKind][]registration.Entry{
		oauth.ClientPublic:     {app()},
		oauth.ClientSymmetric:  {with("client_secret_basic", nil, ""), with("client_secret_post", nil, "")},
		oauth.ClientAsymmetric: {with("private_key_jwt", keys, ""), with("private_key_jwt", nil, "https://app.example/jwks")}, // REG-04
		oauth.ClientBackend:    {backend},
	} {
		for _, e := range list {
			c, faults := registration.Rules{}.Check(e)
			if len(faults) > 0 || c.Kind != kind || c.Scopes != e.Scope || c.Name != e.Name {
				t.Errorf("%s: %v %+v", kind, faults, c)
			}
			shown := registration.Of(c)
			if shown.AuthMethod != e.AuthMethod || shown.Scope != e.Scope || !slices.Equal(shown.RedirectURIs, e.RedirectURIs) {
				t.Errorf("%s is shown as %+v", kind, shown)
			}
			// REG-01: what is shown registers again as the same client.
			if again, faults := (registration.Rules{}).Check(shown); len(faults) > 0 || again.Kind != kind {
				t.Errorf("%s cannot be registered as it is shown: %v", kind, faults)
			}
			if unsaid := e; kind != oauth.ClientPublic {
				unsaid.AuthMethod = "" // RFC 7591 §2
				if c, faults := (registration.Rules{}).Check(unsaid); len(faults) > 0 || c.Kind != kind {
					t.Errorf("%s without a method: %v %s", kind, faults, c.Kind)
				}
			}
			short := e
			short.Kind, short.AuthMethod, short.GrantTypes = kind, "", nil
			if c, faults := (registration.Rules{}).Check(short); len(faults) > 0 || c.Kind != kind {
				t.Errorf("kind %s: %v", kind, faults)
			}
		}
	}
}

// Addresses: https, loopback and private schemes for native apps, nothing that a
// browser would run, complete and without tricks (AZ-04, RFC 8252).
func TestRedirectURIs(t *testing.T) {
	judge := func(r registration.Rules, method, appType, uri string) bool {
		e := app()
		e.AuthMethod, e.ApplicationType, e.RedirectURIs = method, appType, []string{uri}
		_, faults := r.Check(e)
		return len(faults) == 0
	}
	strict, operator, dev := registration.Rules{}, registration.Rules{Operator: true}, registration.Rules{Operator: true, Development: true}
	for _, row := range []struct {
		uri, method, appType        string
		strict, operator, developer bool
	}{
		{"https://app.example/cb?x=1", "none", "", true, true, true},
		{"https://app.example/cb", "client_secret_basic", "web", true, true, true},
		{"http://127.0.0.1/cb", "none", "", true, true, true},
		{"http://[::1]:9/cb", "none", "native", true, true, true},
		{"http://localhost:8/cb", "none", "native", true, true, true},
		{"http://127.0.0.1/cb", "none", "web", false, true, true},
		{"http://localhost/cb", "client_secret_basic", "", false, true, true},
		{"http://app.example/cb", "none", "", false, false, true},
		{"http://127.0.0.1.evil.example/", "none", "", false, false, true},
		{"com.example.app:/cb", "none", "", true, true, true},
		{"com.example.app:/cb", "client_secret_basic", "", false, false, false},
		{"myapp://cb", "none", "", false, true, true},
		{"javascript:alert(1)", "none", "", false, false, false},
		{"data:text/html,x", "none", "", false, false, false},
		{"file:///etc/passwd", "none", "", false, false, false},
		{"https://app.example/cb#f", "none", "", false, false, false},
		{"https://app.example/cb#", "none", "", false, false, false},
		{"https://u:p@app.example/cb", "none", "", false, false, false},
		{"https://*.app.example/cb", "none", "", false, false, false},
		{"https://app.example/\\cb", "none", "", false, false, false},
		{"https://app.example/a b", "none", "", false, false, false},
		{"https:///cb", "none", "", false, false, false},
		{"//app.example/cb", "none", "", false, false, false},
		{"/cb", "none", "", false, false, false},
		{"", "none", "", false, false, false},
		{"https://app.example/" + strings.Repeat("a", 2000), "none", "", false, false, false},
	} {
		if a, b, c := judge(strict, row.method, row.appType, row.uri), judge(operator, row.method, row.appType, row.uri), judge(dev, row.method, row.appType, row.uri); a != row.strict || b != row.operator || c != row.developer {
			t.Errorf("%.60q of %s %s: %v %v %v", row.uri, row.method, row.appType, a, b, c)
		}
	}
}

// SMART REG-06: bare public keys with kty, kid and material; one private member
// refuses the set.
func TestKeySets(t *testing.T) {
	public, private := keySet(t, "k1")
	noKid, _ := keySet(t, "")
	small, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{KeyID: "s", Key: &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}}}})
	if err != nil {
		t.Fatal(err)
	}
	without := func(member string) string {
		var set struct{ Keys []map[string]any }
		if err := json.Unmarshal(public, &set); err != nil {
			t.Fatal(err)
		}
		delete(set.Keys[0], member)
		raw, _ := json.Marshal(map[string]any{"keys": set.Keys})
		return string(raw)
	}
	one := strings.TrimSuffix(strings.TrimPrefix(string(public), `{"keys":[`), `]}`)
	for name, row := range map[string]struct {
		jwks string
		ok   bool
	}{
		"public":             {string(public), true},
		"private":            {string(private), false},
		"private RSA primes": {`{"keys":[{"kty":"RSA","kid":"a","n":"AQAB","e":"AQAB","p":"AQ"}]}`, false},
		"secret":             {`{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}`, false},
		"no kid":             {string(noKid), false},
		"no kty":             {without("kty"), false},
		"no curve":           {without("crv"), false},
		"no x":               {without("x"), false},
		"no y":               {without("y"), false},
		"no modulus":         {`{"keys":[{"kty":"RSA","kid":"a","e":"AQAB"}]}`, false},
		"small":              {string(small), false},
		"other type":         {`{"keys":[{"kty":"OKP","kid":"a","crv":"Ed25519","x":"AQ"}]}`, false},
		"twice":              {`{"keys":[` + one + `,` + one + `]}`, false},
		"empty":              {`{"keys":[]}`, false},
		"no set":             {`[]`, false},
		"no JSON":            {`{`, false},
		"too many":           {`{"keys":[` + strings.Repeat(`{},`, 40) + `{}]}`, false},
		"too large":          {`{"keys":[{"kty":"RSA","kid":"a","n":"` + strings.Repeat("A", 70<<10) + `","e":"AQAB"}]}`, false},
	} {
		e := app()
		e.AuthMethod, e.JWKS = "private_key_jwt", json.RawMessage(row.jwks)
		if _, faults := (registration.Rules{}).Check(e); (len(faults) == 0) != row.ok {
			t.Errorf("%s: %v", name, faults)
		} else if !row.ok && !strings.HasPrefix(faults[0].Member, "jwks") {
			t.Errorf("%s: %v", name, faults)
		}
	}
}

// Each member has its rule; a fault names the member and repeats nothing of what
// was sent.
func TestFaultsNameTheirMember(t *testing.T) {
	keys, _ := keySet(t, "k1")
	const canary = "canary-in-what-was-sent"
	for member, spoil := range map[string]func(*registration.Entry){
		"client_id":                         func(e *registration.Entry) { e.ID = canary + " " },
		"client_name":                       func(e *registration.Entry) { e.Name = "" },
		"client_name ":                      func(e *registration.Entry) { e.Name = "evil\u202e" + canary },
		"publisher":                         func(e *registration.Entry) { e.Publisher = strings.Repeat("x", 200) + canary },
		"software_id":                       func(e *registration.Entry) { e.SoftwareID = canary + "\n" },
		"contacts":                          func(e *registration.Entry) { e.Contacts = []string{"javascript:" + canary} },
		"logo_uri":                          func(e *registration.Entry) { e.LogoURI = "data:image/png;base64," + canary },
		"policy_uri":                        func(e *registration.Entry) { e.PolicyURI = "javascript:" + canary },
		"tos_uri":                           func(e *registration.Entry) { e.TosURI = "ftp://" + canary },
		"client_uri":                        func(e *registration.Entry) { e.ClientURI = canary },
		"redirect_uris":                     func(e *registration.Entry) { e.RedirectURIs = nil },
		"launch_uris[0]":                    func(e *registration.Entry) { e.LaunchURIs = []string{"http://" + canary} },
		"allowed_origins[0]":                func(e *registration.Entry) { e.AllowedOrigins = []string{"https://app.example/" + canary} },
		"allowed_origins[0] ":               func(e *registration.Entry) { e.AllowedOrigins = []string{"*"} },
		"grant_types":                       func(e *registration.Entry) { e.GrantTypes = []string{"authorization_code", "password"} },
		"response_types":                    func(e *registration.Entry) { e.ResponseTypes = []string{"code", "token"} },
		"token_endpoint_auth_method":        func(e *registration.Entry) { e.AuthMethod = "client_secret_jwt" },
		"jwks":                              func(e *registration.Entry) { e.AuthMethod = "private_key_jwt" },
		"jwks ":                             func(e *registration.Entry) { e.JWKS, e.JWKSURI = keys, "https://app.example/jwks" },
		"jwks_uri":                          func(e *registration.Entry) { e.JWKSURI = "http://app.example/" + canary },
		"scope":                             func(e *registration.Entry) { e.Scope = `openid "` },
		"scope[1]":                          func(e *registration.Entry) { e.Scope = "openid patient/Canary.rs" },
		"scope[0]":                          func(e *registration.Entry) { e.Scope = "system/*.rs openid" },
		"scope[2]":                          func(e *registration.Entry) { e.Scope = "openid launch patient/Observation.rs?colour=" + canary },
		"id_token_signed_response_alg":      func(e *registration.Entry) { e.IDTokenAlg = "none" },
		"introspection_signed_response_alg": func(e *registration.Entry) { e.IntrospectionAlg = "HS256" },
		"application_type":                  func(e *registration.Entry) { e.ApplicationType = canary },
		"required_scopes":                   func(e *registration.Entry) { e.RequiredScopes = map[string]string{"patient/Encounter.rs": "why"} },
		"required_scopes ":                  func(e *registration.Entry) { e.RequiredScopes = map[string]string{"openid": ""} },
		"allowed_addresses":                 func(e *registration.Entry) { e.AllowedAddresses = []string{"192.0.2.7/24"} },
		"access_token_format":               func(e *registration.Entry) { e.AccessTokenFormat = canary },
		"introspect":                        func(e *registration.Entry) { e.Introspect = true },
		"client_credentials_by_secret":      func(e *registration.Entry) { e.SecretForItself = true },
	} {
		e := app()
		spoil(&e)
		_, faults := registration.Rules{}.Check(e)
		if !slices.ContainsFunc(faults, func(f registration.Fault) bool { return f.Member == strings.TrimSpace(member) }) {
			t.Errorf("%s: %v", member, faults)
		}
		if strings.Contains(fmt.Sprint(faults, faults.Err()), canary) {
			t.Errorf("%s repeats what was sent: %v", member, faults)
		}
	}
}

// All faults are told at once, under the name that RFC 7591 §3.2.2 gives them.
func TestAllFaultsAtOnce(t *testing.T) {
	e := app()
	e.Name, e.PolicyURI, e.IDTokenAlg = "", "data:,", "none"
	_, faults := registration.Rules{}.Check(e)
	err := faults.Err()
	if len(faults) != 3 || !errs.Is(err, errs.InvalidClientMetadata) {
		t.Errorf("%v", err)
	}
	e.RedirectURIs = []string{"https://app.example/cb", "http://app.example/cb"}
	_, faults = registration.Rules{}.Check(e)
	var told *errs.Error
	if err = faults.Err(); !errs.Is(err, errs.InvalidRedirectURI) || !errors.As(err, &told) || !strings.Contains(told.Msg, "redirect_uris[1]") || !strings.Contains(told.Msg, "policy_uri") {
		t.Errorf("%v", err)
	}
	if registration.Faults(nil).Err() != nil {
		t.Error("no fault is an error")
	}
}

// A client that acts for itself has system scopes and keys, and nothing of an
// app (SMART Backend Services); contradictions are refused.
func TestActingForItself(t *testing.T) {
	keys, _ := keySet(t, "k1")
	good := registration.Entry{Kind: oauth.ClientBackend, Metadata: registration.Metadata{Name: "Export", JWKS: keys, Scope: "system/Patient.rs"}}
	for name, spoil := range map[string]func(*registration.Entry){
		"redirect": func(e *registration.Entry) { e.RedirectURIs = []string{"https://app.example/cb"} },
		"scopes":   func(e *registration.Entry) { e.Scope += " openid" },
		"secret": func(e *registration.Entry) {
			e.Kind, e.AuthMethod, e.GrantTypes = "", "client_secret_basic", []string{"client_credentials"}
		},
		"public": func(e *registration.Entry) {
			e.Kind, e.AuthMethod, e.GrantTypes = "", "none", []string{"client_credentials"}
		},
		"both":          func(e *registration.Entry) { e.GrantTypes = []string{"client_credentials", "authorization_code"} },
		"kind differs":  func(e *registration.Entry) { e.GrantTypes = []string{"authorization_code"} },
		"method":        func(e *registration.Entry) { e.AuthMethod = "client_secret_post" },
		"response type": func(e *registration.Entry) { e.ResponseTypes = []string{"code"} },
	} {
		e := good
		spoil(&e)
		if c, faults := (registration.Rules{}).Check(e); len(faults) == 0 {
			t.Errorf("%s: %+v", name, c)
		}
	}
	c, faults := registration.Rules{}.Check(good)
	if len(faults) > 0 || !c.ForItself() || registration.Of(c).ResponseTypes != nil {
		t.Errorf("%v %+v", faults, c)
	}
	// An operator may let one that cannot hold a key act with its secret.
	unsafe := registration.Entry{Kind: oauth.ClientSymmetric, Metadata: registration.Metadata{Scope: "system/Patient.rs"}, Rights: registration.Rights{SecretForItself: true}}
	if c, faults := (registration.Rules{Operator: true}).Check(unsafe); len(faults) > 0 || !c.ForItself() {
		t.Errorf("%v %+v", faults, c)
	}
	// UDAP: the keys come with a certificate.
	certified := good
	certified.JWKS = nil
	if _, faults := (registration.Rules{Certified: true}).Check(certified); len(faults) > 0 {
		t.Error(faults)
	}
}
