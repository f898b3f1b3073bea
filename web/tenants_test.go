package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/route"
)

// D13, RFC 8414 §3.1: the path as it was sent names the tenant; whatever does
// not name one is the root's, undecoded.
func TestThePathNamesTheTenant(t *testing.T) {
	echo := func(who string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, who+" "+r.URL.RequestURI()) })
	}
	h := web.Tenants{Home: echo("home"), HomeID: "default", Of: func(id string) http.Handler {
		if id != "acme" {
			return nil
		}
		return echo("acme")
	}}
	for target, want := range map[string]string{
		"/":                          "home /",
		"/t":                         "home /t",
		"/t/":                        "home /t/",
		"/tea/acme":                  "home /tea/acme",
		"/t/acme":                    "acme /t/acme/",
		"/t/acme/apps?x=%2F":         "acme /t/acme/apps?x=%2F",
		"/t/acme/fhir/Patient/a%2Fb": "acme /t/acme/fhir/Patient/a%2Fb",
		"/t/acme//apps":              "acme /t/acme//apps",
		"/t/acme%2Fapps":             "home /t/acme%2Fapps",
		"/t/ac%6De/apps":             "home /t/ac%6De/apps",
		"/t%2Facme/apps":             "home /t%2Facme/apps",
		"//t/acme/apps":              "home //t/acme/apps",
		"/t/ACME/apps":               "home /t/ACME/apps",
		"/t/nobody/apps":             "home /t/nobody/apps",
		"/t/default/fhir/a%2Fb?q=1":  "home /fhir/a%2Fb?q=1",
		"/t/default":                 "home /",
		"/.well-known/oauth-authorization-server/t/acme":       "acme /t/acme/.well-known/oauth-authorization-server",
		"/.well-known/openid-configuration/t/acme?x":           "acme /t/acme/.well-known/openid-configuration?x",
		"/.well-known/openid-configuration/t/default":          "home /.well-known/openid-configuration",
		"/.well-known/openid-configuration/t/nobody":           "home /.well-known/openid-configuration/t/nobody",
		"/.well-known/openid-configuration/t/acme/apps":        "home /.well-known/openid-configuration/t/acme/apps",
		"/.well-known/oauth-protected-resource/t/acme/fhir":    "acme /t/acme/.well-known/oauth-protected-resource/fhir",
		"/.well-known/oauth-protected-resource/t/default/fhir": "home /.well-known/oauth-protected-resource/fhir",
		"/.well-known/oauth-protected-resource/fhir":           "home /.well-known/oauth-protected-resource/fhir",
		"/.well-known/openid-configuration":                    "home /.well-known/openid-configuration",
		"/.well-known/oauth-authorization-server/t/acme/fhir":  "home /.well-known/oauth-authorization-server/t/acme/fhir",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://id.example.org"+target, nil))
		if w.Body.String() != want {
			t.Errorf("%s: %s, want %s", target, w.Body, want)
		}
	}
}

// D13: routes are declared without the tenant and served below its base only.
func TestRoutesBelowABase(t *testing.T) {
	s := newSite(t, func(d *web.Deps) { d.Base, d.FHIRBasePath = route.BaseOf("acme"), "/t/acme/fhir" })
	for target, want := range map[string]string{
		"/t/acme/help": "help", "/t/acme/fhir/Patient/1": "gateway", "/t/acme/fhir/.well-known/smart-configuration": "discovery",
		"/help": "no such page", "/fhir/Patient/1": "no such page", "/t/acme": "no such page",
	} {
		if got := s.ask(t, "GET", target).Body.String(); got != want {
			t.Errorf("%s: %s", target, got)
		}
	}
}
