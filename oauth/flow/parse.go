package flow

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// Refusal is an authorization request that was turned down. With an empty
// RedirectURI it must be shown as a page and never redirected (AZ-05).
type Refusal struct {
	Err         *errs.Error
	RedirectURI string
	State       string
	// Asked is the requested scope string where the refusal is about it.
	Asked string
}

// Error gives the underlying error's text.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap gives the underlying error.
func (r *Refusal) Unwrap() error { return r.Err }

// The greatest sizes of parameters, in bytes.
const (
	maxState = 2048
	maxNonce = 2048
	maxURI   = 2048
)

// singleParameters are those that RFC 6749 §3.1 allows once.
var singleParameters = []string{
	"response_type", "client_id", "redirect_uri", "scope", "state", "aud", "resource",
	"code_challenge", "code_challenge_method", "launch", "nonce", "prompt", "max_age",
	"login_hint", "acr_values", "response_mode", "request", "request_uri", "dpop_jkt", "idp",
}

// ParseAddressee reads the two parameters that decide whether an error may be
// told to the app at all.
func ParseAddressee(v url.Values) (clientID, redirectURI string, err error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		switch values := v[name]; {
		case len(values) != 1 || values[0] == "":
			return "", "", errs.New(errs.InvalidRequest, "parameter-missing-or-repeated", "Exactly one "+name+" is needed.")
		case len(values[0]) > maxURI:
			return "", "", errs.New(errs.InvalidRequest, "parameter-too-long", "The "+name+" is too long.")
		}
	}
	return v.Get("client_id"), v.Get("redirect_uri"), nil
}

// RegisteredRedirect reports whether the redirect URI is one of the client's:
// compared as strings, except that a public client's loopback address may use
// any port (AZ-04, RFC 8252 §7.3).
func RegisteredRedirect(c oauth.Client, uri string) bool {
	if slices.Contains(c.RedirectURIs, uri) {
		return true
	}
	if c.Kind != oauth.ClientPublic {
		return false
	}
	asked, ok := loopback(uri)
	if !ok {
		return false
	}
	for _, r := range c.RedirectURIs {
		if registered, ok := loopback(r); ok && registered == asked {
			return true
		}
	}
	return false
}

// loopback gives a loopback redirect URI without its port. Only IP literals
// count, because names can be pointed elsewhere.
func loopback(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" {
		return "", false
	}
	if h := u.Hostname(); h != "127.0.0.1" && h != "::1" {
		return "", false
	}
	return u.Hostname() + u.EscapedPath() + "?" + u.RawQuery, true
}

// ParseAuthorize reads the remaining parameters of an authorization request
// whose addressee is known (SMART AZ-03…AZ-14, PKCE-01, PKCE-04). base is the
// FHIR base that aud must name, by this or one of its other addresses. launch is the raw launch handle, empty for a
// standalone launch. Errors have the kinds of RFC 6749 §4.1.2.1.
func ParseAuthorize(v url.Values, base string, others ...string) (req oauth.AuthorizeRequest, launch string, err error) {
	req = oauth.AuthorizeRequest{
		ClientID: v.Get("client_id"), RedirectURI: v.Get("redirect_uri"),
		Scope: v.Get("scope"), State: v.Get("state"), Nonce: v.Get("nonce"),
		Challenge: v.Get("code_challenge"), JKT: v.Get("dpop_jkt"), LoginHint: v.Get("login_hint"),
		Prompt: strings.Fields(v.Get("prompt")), ACR: strings.Fields(v.Get("acr_values")), MaxAge: -1,
	}
	for _, check := range []func(url.Values, *oauth.AuthorizeRequest) error{
		checkOnce, checkResponse, checkState, checkChallenge, checkScope, checkMaxAge, checkPrompt, checkJKT, checkProvider,
	} {
		if err := check(v, &req); err != nil {
			return req, "", err
		}
	}
	if req.Aud, err = checkAud(v, base, others); err != nil {
		return req, "", err
	}
	launch = v.Get("launch")
	return req, launch, checkLaunch(req.Scope, launch)
}

func checkOnce(v url.Values, _ *oauth.AuthorizeRequest) error {
	for _, name := range singleParameters {
		if len(v[name]) > 1 {
			return errs.New(errs.InvalidRequest, "parameter-repeated", "The parameter "+name+" is given more than once.")
		}
	}
	return nil
}

func checkResponse(v url.Values, _ *oauth.AuthorizeRequest) error {
	switch rt := v.Get("response_type"); {
	case v.Get("request_uri") != "":
		return errForeignURI
	case rt == "":
		return errs.New(errs.InvalidRequest, "response-type-missing", "The parameter response_type is missing; it must be code.")
	case rt != "code":
		return errs.New(errs.UnsupportedResponseType, "response-type-unsupported", "Only response_type=code is supported.")
	}
	if m := v.Get("response_mode"); m != "" && m != "query" {
		return errs.New(errs.InvalidRequest, "response-mode-unsupported", "Only response_mode=query is supported.")
	}
	return nil
}

func checkState(v url.Values, req *oauth.AuthorizeRequest) error {
	switch {
	case req.State == "":
		return errs.New(errs.InvalidRequest, "state-missing", "The parameter state is missing.")
	case len(req.State) > maxState || len(req.Nonce) > maxNonce:
		return errs.New(errs.InvalidRequest, "parameter-too-long", "The parameter state or nonce is too long.")
	}
	return nil
}

func checkChallenge(v url.Values, req *oauth.AuthorizeRequest) error {
	switch {
	case req.Challenge == "":
		return errs.New(errs.InvalidRequest, "code-challenge-missing", "The parameter code_challenge is missing; PKCE with S256 is required.")
	case v.Get("code_challenge_method") != "S256":
		return errs.New(errs.InvalidRequest, "code-challenge-method-unsupported", "The code_challenge_method must be S256.")
	case !digest(req.Challenge):
		return errs.New(errs.InvalidRequest, "code-challenge-malformed", "The code_challenge is not a base64url SHA-256 value.")
	}
	return nil
}

// digest reports whether s is a SHA-256 value in base64url.
func digest(s string) bool {
	return len(s) == 43 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// checkJKT judges the key to which the code shall be bound (RFC 9449 §10).
func checkJKT(_ url.Values, req *oauth.AuthorizeRequest) error {
	if req.JKT != "" && !digest(req.JKT) {
		return errs.New(errs.InvalidRequest, "dpop-jkt-malformed", "The parameter dpop_jkt is not a base64url SHA-256 thumbprint.")
	}
	return nil
}

func checkScope(_ url.Values, req *oauth.AuthorizeRequest) error {
	if strings.TrimSpace(req.Scope) == "" {
		return errs.New(errs.InvalidScope, "scope-missing", "The parameter scope is missing.")
	}
	asked, err := scope.Parse(req.Scope, scope.Limits{})
	if err == nil && len(asked.Others) == len(asked.Texts) {
		err = errs.New(errs.InvalidScope, "scope-unknown", "None of the requested scopes is known.")
	}
	return err
}

func checkMaxAge(v url.Values, req *oauth.AuthorizeRequest) error {
	raw := v.Get("max_age")
	if raw == "" {
		return nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < 0 {
		return errs.New(errs.InvalidRequest, "max-age-malformed", "The parameter max_age must be a number of seconds.")
	}
	req.MaxAge = n
	return nil
}

// checkPrompt refuses none beside anything that would show a page (OIDC Core
// §3.1.2.1).
func checkPrompt(_ url.Values, req *oauth.AuthorizeRequest) error {
	if len(req.Prompt) > 1 && slices.Contains(req.Prompt, "none") {
		return errs.New(errs.InvalidRequest, "prompt-contradictory", "The prompt none excludes every other.")
	}
	return nil
}

// checkProvider reads where the person's account is (UDP-32). Without the scope
// udap the parameter is not one that this server knows.
func checkProvider(v url.Values, req *oauth.AuthorizeRequest) error {
	if slices.Contains(strings.Fields(req.Scope), "udap") {
		req.IDP = v.Get("idp")
	}
	if len(req.IDP) > maxURI {
		return errs.New(errs.InvalidIDP, "idp-not-trusted", "The identity provider that idp names is not trusted here: its URL is too long.")
	}
	return nil
}

// checkAud accepts the FHIR base with at most one trailing slash (AZ-06,
// AZ-08), under its SMART name or as an RFC 8707 resource. Where both are given
// both must name it. It gives the one address that tokens carry.
func checkAud(v url.Values, base string, others []string) (string, error) {
	aud, resource := v.Get("aud"), v.Get("resource")
	if aud == "" && resource == "" {
		return "", errs.New(errs.InvalidRequest, "aud-missing", "The parameter aud is missing; it must be the FHIR base URL.")
	}
	for _, named := range []string{aud, resource} {
		if named != "" && strings.TrimSuffix(named, "/") != base && !slices.Contains(others, strings.TrimSuffix(named, "/")) {
			return "", errs.New(errs.InvalidRequest, "aud-unknown", "The parameter aud does not name this server's FHIR base URL.")
		}
	}
	return base, nil
}

// checkLaunch wants the launch value and the launch scope together (LAU-03).
// The scope without a value is only left out of the grant.
func checkLaunch(scopes, launch string) error {
	req, err := scope.Parse(scopes, scope.Limits{})
	if err != nil {
		return err
	}
	if launch != "" && !req.Launch {
		return errs.New(errs.InvalidRequest, "launch-scope-missing", "A launch value was given without the scope launch.")
	}
	return nil
}
