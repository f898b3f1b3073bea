package attack_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

// AS-10…14, AS-24: misusing tokens and the APIs that take them.
func TestAPIAbuse(t *testing.T) {
	b := signedIn(t, "rosa")
	g, err := target.Launch(t.Context(), kit.Launch{Client: target.Client("symmetric"), Scope: "openid launch/patient offline_access patient/Patient.rs", Visit: kit.Visit{Browser: b}})
	if err != nil {
		t.Fatal(err)
	}
	fhir := func(what, token, path string, want ...int) {
		t.Helper()
		res, err := target.FHIR(t.Context(), token, path)
		stopped := false
		for _, status := range want {
			stopped = stopped || err == nil && res.Status == status
		}
		step(t, what, stopped, res.Status)
	}
	access := g.Access()
	parts := strings.Split(access, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt"}`))
	fhir("no token", "", "Patient/rosa", 401)
	fhir("a token without a signature (alg none)", none+"."+parts[1]+".", "Patient/rosa", 401)
	fhir("a token with another body", parts[0]+"."+strings.ToUpper(parts[1])+"."+parts[2], "Patient/rosa", 401)
	fhir("an id_token in place of an access token", g.Text("id_token"), "Patient/rosa", 401)
	fhir("the record of somebody else", access, "Patient/tom", 403, 404)
	fhir("a kind of data that was not granted", access, "Observation?patient=rosa", 403)
	fhir("a token in the address", "", "Patient/rosa?access_token="+url.QueryEscape(access), 400, 401)
	fhir("a path out of the base", access, "../admin/clients", 400, 401, 403, 404)

	res, err := target.Refresh(t.Context(), g.Client, g.RefreshToken(), "patient/*.cruds")
	step(t, "more scopes at the refresh", err == nil && res.Status == http.StatusBadRequest, res)
	res, err = target.Call(t.Context(), target.Config.Token, g.Client, url.Values{"grant_type": {"authorization_code"}, "code": {strings.Repeat("A", 64)}, "redirect_uri": {"https://evil.example"}, "code_verifier": {target.NewVerifier()}})
	step(t, "a code that was guessed", err == nil && res.Status == http.StatusBadRequest, res)
	res, err = target.Do(t.Context(), kit.Request{Method: http.MethodPost, URL: target.Config.Introspect, Form: url.Values{"token": {access}}})
	step(t, "introspection by a stranger", err == nil && res.Status == http.StatusUnauthorized, res.Status)
	wrong := g.Client
	wrong.Secret = "wrong"
	res, err = target.Refresh(t.Context(), wrong, g.RefreshToken(), "")
	step(t, "a client with a wrong secret", err == nil && (res.Status == 401 || res.Status == 400), res.Status)
	res, err = target.Do(t.Context(), kit.Request{Method: http.MethodGet, URL: target.Issuer + "/admin/clients", Header: http.Header{"Authorization": {"Bearer " + access}}})
	step(t, "administration with a patient's token", err == nil && (res.Status == 401 || res.Status == 403), res.Status)
	res, err = target.Do(t.Context(), kit.Request{Method: http.MethodPost, URL: target.Config.Token, Form: url.Values{"grant_type": {"password"}, "username": {"rosa"}, "password": {"x"}}})
	step(t, "a password grant", err == nil && res.Status >= 400 && res.Status < 500, res.Status)
	req := target.AuthorizeRequest(g.Client, "launch/patient patient/Patient.rs", target.NewVerifier())
	req.Set("redirect_uri", "https://evil.example/cb")
	page, err := b.Open(t.Context(), target.Config.Authorize+"?"+req.Encode(), "https://evil.example/cb")
	step(t, "an address to return to that nobody registered", err == nil && page.Back == nil, page.Status)
	res, err = target.Do(t.Context(), kit.Request{Method: http.MethodPost, URL: target.Config.Token, Type: "application/x-www-form-urlencoded", Body: strings.NewReader("token=" + strings.Repeat("x", 4<<20))})
	step(t, "a body of four megabytes", err != nil || res.Status >= 400 && res.Status < 500, fmt.Sprint(res, err))

	rotated, err := target.Refresh(t.Context(), g.Client, g.RefreshToken(), "")
	if err != nil || rotated.Status != http.StatusOK {
		t.Fatal(rotated, err)
	}
	if _, err := target.Refresh(t.Context(), g.Client, rotated.Text("refresh_token"), ""); err != nil {
		t.Fatal(err)
	}
	res, err = target.Refresh(t.Context(), g.Client, g.RefreshToken(), "")
	step(t, "a refresh token used again", err == nil && res.Status == http.StatusBadRequest, res)
	fhir("the access token of a connection whose refresh token leaked", rotated.Text("access_token"), "Patient/rosa", 401)
}
