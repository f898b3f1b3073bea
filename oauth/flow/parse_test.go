package flow_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
)

const (
	base      = "https://ehr.example/fhir"
	issuerURL = "https://ehr.example"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	callback  = "https://app.example/callback"
)

// request is a valid authorization request; changes are name, value pairs, an
// empty value removes the parameter.
func request(changes ...string) url.Values {
	v := url.Values{
		"response_type": {"code"}, "client_id": {"diary"}, "redirect_uri": {callback},
		"scope": {"launch/patient patient/Observation.rs"}, "state": {"s-1"}, "aud": {base},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		v.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			v.Del(changes[i])
		}
	}
	return v
}

// SMART AZ-03, AZ-06…AZ-11, AZ-13, PKCE-01, PKCE-04, LAU-03, SCP-29.
func TestParseAuthorizeRefuses(t *testing.T) {
	tests := []struct {
		name    string
		changes []string
		kind    errs.Kind
		code    string
	}{
		{"no response_type", []string{"response_type", ""}, errs.InvalidRequest, "response-type-missing"},
		{"implicit", []string{"response_type", "token"}, errs.UnsupportedResponseType, "response-type-unsupported"},
		{"hybrid", []string{"response_type", "code token"}, errs.UnsupportedResponseType, "response-type-unsupported"},
		{"id_token", []string{"response_type", "id_token"}, errs.UnsupportedResponseType, "response-type-unsupported"},
		{"fragment mode", []string{"response_mode", "fragment"}, errs.InvalidRequest, "response-mode-unsupported"},
		{"no state", []string{"state", ""}, errs.InvalidRequest, "state-missing"},
		{"endless state", []string{"state", strings.Repeat("x", 2049)}, errs.InvalidRequest, "parameter-too-long"},
		{"endless nonce", []string{"nonce", strings.Repeat("x", 2049)}, errs.InvalidRequest, "parameter-too-long"},
		{"no challenge", []string{"code_challenge", ""}, errs.InvalidRequest, "code-challenge-missing"},
		{"plain", []string{"code_challenge_method", "plain"}, errs.InvalidRequest, "code-challenge-method-unsupported"},
		{"no method means plain", []string{"code_challenge_method", ""}, errs.InvalidRequest, "code-challenge-method-unsupported"},
		{"method in small letters", []string{"code_challenge_method", "s256"}, errs.InvalidRequest, "code-challenge-method-unsupported"},
		{"short challenge", []string{"code_challenge", challenge[1:]}, errs.InvalidRequest, "code-challenge-malformed"},
		{"padded challenge", []string{"code_challenge", challenge[:42] + "="}, errs.InvalidRequest, "code-challenge-malformed"},
		{"no scope", []string{"scope", ""}, errs.InvalidScope, "scope-missing"},
		{"blank scope", []string{"scope", "  "}, errs.InvalidScope, "scope-missing"},
		{"no aud", []string{"aud", ""}, errs.InvalidRequest, "aud-missing"},
		{"foreign aud", []string{"aud", "https://evil.example/fhir"}, errs.InvalidRequest, "aud-unknown"},
		{"longer aud", []string{"aud", base + "x"}, errs.InvalidRequest, "aud-unknown"},
		{"aud of a longer host", []string{"aud", base + ".evil.example"}, errs.InvalidRequest, "aud-unknown"},
		{"aud below the base", []string{"aud", base + "/Patient"}, errs.InvalidRequest, "aud-unknown"},
		{"two slashes", []string{"aud", base + "//"}, errs.InvalidRequest, "aud-unknown"},
		{"aud in capitals", []string{"aud", strings.ToUpper(base)}, errs.InvalidRequest, "aud-unknown"},
		{"the issuer is not the base", []string{"aud", issuerURL}, errs.InvalidRequest, "aud-unknown"},
		{"foreign resource", []string{"aud", "", "resource", "https://evil.example/fhir"}, errs.InvalidRequest, "aud-unknown"},
		{"resource beside aud", []string{"resource", "https://evil.example/fhir"}, errs.InvalidRequest, "aud-unknown"},
		{"request object by reference", []string{"request_uri", "https://app.example/r"}, errs.RequestURINotSupported, "request-uri-foreign"},
		{"launch value without its scope", []string{"launch", "abc"}, errs.InvalidRequest, "launch-scope-missing"},
		{"negative max_age", []string{"max_age", "-1"}, errs.InvalidRequest, "max-age-malformed"},
		{"max_age in words", []string{"max_age", "soon"}, errs.InvalidRequest, "max-age-malformed"},
		{"none beside login", []string{"prompt", "none login"}, errs.InvalidRequest, "prompt-contradictory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := flow.ParseAuthorize(request(test.changes...), base)
			if e := errs.As(err); e == nil || e.Kind != test.kind || e.Code != test.code {
				t.Errorf("%v, want %s/%s", err, test.kind, test.code)
			}
		})
	}
}

// SMART AZ-14: a parameter given twice is refused, an unknown one ignored.
func TestParseAuthorizeRepeatedAndUnknownParameters(t *testing.T) {
	for _, name := range []string{"response_type", "scope", "state", "aud", "code_challenge", "code_challenge_method", "launch", "nonce", "prompt", "max_age", "request"} {
		v := request()
		v[name] = []string{v.Get(name), "other"}
		if _, _, err := flow.ParseAuthorize(v, base); !errs.Is(err, errs.InvalidRequest) || errs.As(err).Code != "parameter-repeated" {
			t.Errorf("%s twice: %v", name, err)
		}
	}
	v := request("foo", "1")
	v.Add("foo", "2")
	if _, _, err := flow.ParseAuthorize(v, base); err != nil {
		t.Errorf("unknown parameters: %v", err)
	}
}

// SMART AZ-06, AZ-08: one trailing slash and the name resource are tolerated.
func TestParseAuthorizeAccepts(t *testing.T) {
	for _, changes := range [][]string{
		nil,
		{"aud", base + "/"},
		{"aud", "", "resource", base},
		{"resource", base},
		{"state", "a"},
		{"state", "+ %&=\"<>é" + strings.Repeat("x", 200)},
		{"response_mode", "query"},
		{"scope", "launch patient/Observation.rs", "launch", "abc"},
		{"scope", "launch patient/Observation.rs"},
		{"scope", "openid unheard/of patient/Foo.rs patient/Observation.read patient/Observation.read"},
	} {
		req, launch, err := flow.ParseAuthorize(request(changes...), base)
		if err != nil {
			t.Errorf("%v: %v", changes, err)
			continue
		}
		v := request(changes...)
		if req.Aud != base || req.State != v.Get("state") || req.Scope != v.Get("scope") || launch != v.Get("launch") || req.MaxAge != -1 {
			t.Errorf("%v: %+v %q", changes, req, launch)
		}
	}
	req, _, err := flow.ParseAuthorize(request("max_age", "0", "prompt", "login consent", "acr_values", "a b"), base)
	if err != nil || req.MaxAge != 0 || !slices.Equal(req.Prompt, []string{"login", "consent"}) || !slices.Equal(req.ACR, []string{"a", "b"}) {
		t.Errorf("%+v %v", req, err)
	}
}

// SMART AZ-05: without exactly one client_id and one redirect_uri nobody may
// be redirected.
func TestParseAddressee(t *testing.T) {
	for name, v := range map[string]url.Values{
		"no client":      request("client_id", ""),
		"no redirect":    request("redirect_uri", ""),
		"two clients":    {"client_id": {"a", "b"}, "redirect_uri": {callback}},
		"two redirects":  {"client_id": {"a"}, "redirect_uri": {callback, callback}},
		"long redirect":  request("redirect_uri", callback+strings.Repeat("x", 2048)),
		"empty redirect": {"client_id": {"a"}, "redirect_uri": {""}},
	} {
		if _, _, err := flow.ParseAddressee(v); !errs.Is(err, errs.InvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if id, uri, err := flow.ParseAddressee(request()); id != "diary" || uri != callback || err != nil {
		t.Error(id, uri, err)
	}
}

// SMART AZ-04: exact comparison; only a public client's loopback port may
// differ (RFC 8252 §7.3).
func TestRegisteredRedirect(t *testing.T) {
	public := oauth.Client{Kind: oauth.ClientPublic, RedirectURIs: []string{callback, "http://127.0.0.1/back?x=1", "http://[::1]:9/back", "http://localhost:7000/back"}}
	tests := map[string]bool{
		callback:                             true,
		callback + "/":                       false,
		callback + "?x=1":                    false,
		"https://app.example/CALLBACK":       false,
		"https://sub.app.example/callback":   false,
		"https://app.example:443/callback":   false,
		"http://app.example/callback":        false,
		"https://app.example/a/../callback":  false,
		"http://127.0.0.1:5000/back?x=1":     true,
		"http://127.0.0.1/back?x=1":          true,
		"http://127.0.0.1:5000/back":         false,
		"http://127.0.0.1:5000/other?x=1":    false,
		"https://127.0.0.1:5000/back?x=1":    false,
		"http://me@127.0.0.1:5000/back?x=1":  false,
		"http://127.0.0.1:5000/back?x=1#f":   false,
		"http://127.0.0.1.evil.example/back": false,
		"http://127.0.0.2:5000/back?x=1":     false,
		"http://[::1]:5000/back":             true,
		"http://localhost:7001/back":         false,
		"":                                   false,
	}
	for uri, want := range tests {
		if got := flow.RegisteredRedirect(public, uri); got != want {
			t.Errorf("%q: %t", uri, got)
		}
	}
	confidential := public
	confidential.Kind = oauth.ClientSymmetric
	if flow.RegisteredRedirect(confidential, "http://127.0.0.1:5000/back?x=1") {
		t.Error("a confidential client has a fixed port")
	}
}

// FuzzParseAuthorize feeds raw queries: parsing never panics and never accepts
// a request without S256, state and the right aud.
func FuzzParseAuthorize(f *testing.F) {
	f.Add(request().Encode())
	f.Add(request("aud", base+"/", "launch", "x", "scope", "launch").Encode())
	f.Add(request("code_challenge_method", "plain").Encode() + "&code_challenge_method=S256")
	f.Add("response_type=code&state=%00&aud=//&scope=patient/*.%2A")
	f.Fuzz(func(t *testing.T, raw string) {
		v, _ := url.ParseQuery(raw)
		clientID, redirect, err := flow.ParseAddressee(v)
		if err == nil && (clientID == "" || redirect == "" || len(v["client_id"]) != 1 || len(v["redirect_uri"]) != 1) {
			t.Errorf("addressee %q %q", clientID, redirect)
		}
		req, launch, err := flow.ParseAuthorize(v, base)
		if err != nil {
			if k := errs.KindOf(err); k != errs.InvalidRequest && k != errs.InvalidScope && k != errs.UnsupportedResponseType {
				t.Errorf("%v is no error of RFC 6749", err)
			}
			return
		}
		aud := v.Get("aud") + v.Get("resource")
		if v.Get("code_challenge_method") != "S256" || len(req.Challenge) != 43 || req.State == "" || !strings.HasPrefix(aud, base) || req.Aud != base {
			t.Errorf("accepted %q", raw)
		}
		asked, err := scope.Parse(req.Scope, scope.Limits{})
		if err != nil || (launch != "" && !asked.Launch) {
			t.Errorf("accepted %q: %v", raw, err)
		}
		for name, values := range v {
			if len(values) > 1 && slices.Contains([]string{"state", "aud", "scope", "launch", "code_challenge"}, name) {
				t.Errorf("accepted a repeated %s", name)
			}
		}
	})
}
