package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// The documents in which a server says what it offers.
const (
	docSMART  = "/fhir/.well-known/smart-configuration"
	docOpenID = "/.well-known/openid-configuration"
	docOAuth  = "/.well-known/oauth-authorization-server"
)

// toggle is one switch on which discovery depends: a new one is one row.
type toggle struct {
	name string
	// on is what a server with the switch is configured with; nil for what is on by
	// itself, and for what operators switch while it runs, which off takes away
	// again.
	on  func(*app.Config)
	off func(t *testing.T, s *server)
	// without is what a server without the switch is configured with, where it is
	// on by itself.
	without func(*app.Config)
	// member of these documents is there only while the switch is on, or the value
	// in it; and so is the capability, if there is one.
	documents  []string
	member     string
	value      string
	capability string
	// works reports whether the server behaves as if it were on.
	works func(t *testing.T, s *server) bool
}

// reached reports whether a request finds something at an address.
func reached(r kit.Request, path string) func(*testing.T, *server) bool {
	return func(t *testing.T, s *server) bool {
		r.URL = s.Issuer + path
		return s.do(t, r).Status != http.StatusNotFound
	}
}

// The grant types that can be switched off.
const (
	grantDevice   = "urn:ietf:params:oauth:grant-type:device_code"
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// knows reports whether the token endpoint knows a grant type.
func knows(grant string) func(*testing.T, *server) bool {
	return func(t *testing.T, s *server) bool {
		res, err := s.Call(t.Context(), s.Config.Token, s.Client("symmetric"), url.Values{"grant_type": {grant}})
		if err != nil {
			t.Fatal(err)
		}
		return res.Text("error") != "unsupported_grant_type"
	}
}

func toggles() []toggle {
	return []toggle{
		{
			name: "app state", on: func(c *app.Config) { c.AppState = true },
			documents: []string{docSMART}, member: "associated_endpoints", capability: "smart-app-state",
			works: reached(kit.Request{}, "/app-state/Basic"),
		},
		{
			name: "dynamic registration", on: func(c *app.Config) { c.Registration.Mode = "approval" },
			documents: []string{docSMART, docOpenID, docOAuth}, member: "registration_endpoint",
			works: func(t *testing.T, s *server) bool {
				body := strings.NewReader(`{"client_name":"Matrix","redirect_uris":["https://matrix.example/cb"],"token_endpoint_auth_method":"none"}`)
				res := s.do(t, kit.Request{Method: http.MethodPost, URL: s.Issuer + "/register", Body: body, Type: "application/json"})
				return res.Status != http.StatusNotFound
			},
		},
		{
			name: "pushed requests only", on: func(c *app.Config) { c.Push.Require = true },
			documents: []string{docSMART, docOpenID, docOAuth}, member: "require_pushed_authorization_requests",
			works: func(t *testing.T, s *server) bool {
				app := s.Client("public")
				req := url.Values{
					"response_type": {"code"}, "client_id": {app.ID}, "scope": {"launch/patient patient/Patient.rs"}, "state": {"state"},
					"aud": {s.FHIRBase}, "code_challenge": {kit.Challenge(s.NewVerifier())}, "code_challenge_method": {"S256"}, "redirect_uri": {app.RedirectURIs[0]},
				}
				res := s.do(t, kit.Request{URL: s.Config.Authorize + "?" + req.Encode()})
				return strings.Contains(res.Header.Get("Location"), "error=") || res.Status >= 400
			},
		},
		{
			name: "device flow", without: func(c *app.Config) { c.Off = append(c.Off, "device-authorization") },
			documents: []string{docSMART, docOpenID, docOAuth}, member: "device_authorization_endpoint",
			works: func(t *testing.T, s *server) bool {
				res, err := s.Call(t.Context(), s.Issuer+"/device_authorization", s.DeviceClient(), url.Values{"scope": {"launch/patient patient/Patient.rs"}})
				if err != nil {
					t.Fatal(err)
				}
				page := s.get(t, "/device")
				if (page.Status == http.StatusOK) != (res.Status == http.StatusOK) {
					t.Errorf("devices begin with %d, their page with %d", res.Status, page.Status)
				}
				return res.Status == http.StatusOK
			},
		},
		{
			name: "device grant", documents: []string{docSMART, docOpenID, docOAuth}, member: "grant_types_supported", value: grantDevice,
			works: knows(grantDevice),
		},
		{
			name: "token exchange", without: func(c *app.Config) { c.Off = append(c.Off, "token-exchange") },
			documents: []string{docSMART, docOpenID, docOAuth}, member: "grant_types_supported", value: grantExchange,
			works: knows(grantExchange),
		},
		{
			name: "UDAP", without: func(c *app.Config) { c.Off = append(c.Off, "udap") },
			works: func(t *testing.T, s *server) bool {
				metadata, register := reached(kit.Request{}, "/fhir/.well-known/udap"), s.do(t, kit.Request{Method: http.MethodPost, URL: s.Issuer + "/udap/register", Body: strings.NewReader("{}"), Type: "application/json"})
				if metadata(t, s) != (register.Status != http.StatusNotFound) {
					t.Errorf("there is UDAP metadata: %t; registering answers %s", metadata(t, s), register)
				}
				return metadata(t, s)
			},
		},
		{
			name: "brands", off: func(t *testing.T, s *server) { s.admin(t, "DELETE", "/brands", "", nil) },
			documents: []string{docSMART}, member: "user_access_brand_bundle",
			works: reached(kit.Request{}, "/user-access-brands"),
		},
		{
			name: "brand identifier", off: func(*testing.T, *server) {},
			documents: []string{docSMART}, member: "user_access_brand_identifier",
			works: reached(kit.Request{}, "/user-access-brands"),
		},
	}
}

// offers reads the documents as several readers would, and gives which of them
// has the member.
func (s *server) offers(t *testing.T, x toggle) (out []string) {
	t.Helper()
	for _, path := range []string{docSMART, docOpenID, docOAuth} {
		var first []byte
		for _, accept := range []string{"", "text/html", "application/fhir+xml"} {
			r := kit.Request{URL: s.Issuer + path, Header: http.Header{}}
			if accept != "" {
				r.Header.Set("Accept", accept)
			}
			res := s.do(t, r)
			if first == nil {
				first = res.Body
			}
			if res.Status != http.StatusOK || string(res.Body) != string(first) {
				t.Errorf("%s with Accept %q: %s", path, accept, res)
			}
		}
		var d map[string]any
		if err := json.Unmarshal(first, &d); err != nil {
			t.Fatal(err)
		}
		v, ok := d[x.member]
		list, _ := v.([]any)
		if ok && (x.value == "" || slices.Contains(list, any(x.value))) {
			out = append(out, path)
		}
	}
	return out
}

// claims reports whether both the SMART configuration and the CapabilityStatement
// claim a capability; they must agree.
func (s *server) claims(t *testing.T, capability string) bool {
	t.Helper()
	var d struct {
		Capabilities []string `json:"capabilities"`
	}
	if err := json.Unmarshal(s.get(t, docSMART).Body, &d); err != nil {
		t.Fatal(err)
	}
	statement := string(s.get(t, "/fhir/metadata").Body)
	for _, c := range d.Capabilities {
		if !strings.Contains(statement, `"`+c+`"`) {
			t.Errorf("the CapabilityStatement does not claim %s", c)
		}
		if c == capability {
			return true
		}
	}
	if strings.Contains(statement, `"`+capability+`"`) {
		t.Errorf("only the CapabilityStatement claims %s", capability)
	}
	return false
}

// SMART DISC-20: each switch changes what is said and what is done together,
// whatever Accept says: the servers have all of them on, and all of them off.
func TestSwitchesChangeDocumentAndBehaviourTogether(t *testing.T) {
	all := append(append(toggles(), certificateToggles()...), documentToggle(publish(t)))
	on := start(t, func(c *app.Config) {
		for _, x := range all {
			if x.on != nil {
				x.on(c)
			}
		}
	})
	off := start(t, func(c *app.Config) {
		for _, x := range all {
			if x.without != nil {
				x.without(c)
			}
		}
	})
	for _, x := range all {
		if x.off != nil {
			x.off(t, off)
		}
	}
	for _, x := range all {
		t.Run(x.name, func(t *testing.T) {
			for _, side := range []struct {
				s    *server
				want bool
			}{{on, true}, {off, false}} {
				var named []string
				if side.want {
					named = x.documents
				}
				if got := side.s.offers(t, x); !reflect.DeepEqual(got, named) {
					t.Errorf("on %t: %s stands in %v, not in %v", side.want, x.member, got, named)
				}
				if works := x.works(t, side.s); works != side.want {
					t.Errorf("on %t: it works %t", side.want, works)
				}
				if x.capability != "" && side.s.claims(t, x.capability) != side.want {
					t.Errorf("on %t: %s is claimed %t", side.want, x.capability, !side.want)
				}
			}
		})
	}
}
