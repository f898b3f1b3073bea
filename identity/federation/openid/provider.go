package openid

import (
	"context"
	"crypto"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/identity/federation"
)

// Auth is how this server proves itself to a provider.
type Auth string

// The methods of client authentication (OIDC Core §9).
const (
	PrivateKeyJWT Auth = "private_key_jwt"
	SecretBasic   Auth = "client_secret_basic"
	SecretPost    Auth = "client_secret_post"
)

// Provider is an upstream OpenID provider as an operator describes it.
type Provider struct {
	federation.Provider
	// Issuer is pinned: nothing that names another one counts.
	Issuer   string `json:"issuer"`
	ClientID string `json:"client_id"`
	Auth     Auth   `json:"client_auth"`
	// KeyFile holds the private key of private_key_jwt in PEM, KeyID its kid there;
	// SecretFile the secret of the other methods.
	KeyFile    string `json:"key_file,omitempty"`
	KeyID      string `json:"key_id,omitempty"`
	SecretFile string `json:"secret_file,omitempty"`
	// Scopes are asked for beside openid; ACR are asked for in the order of
	// preference (acr_values).
	Scopes []string `json:"scopes,omitempty"`
	ACR    []string `json:"acr_values,omitempty"`
	// Logout offers whoever signs out here to sign out there too.
	Logout bool `json:"logout,omitempty"`

	// Key and Secret are what the files hold.
	Key    crypto.Signer `json:"-"`
	Secret string        `json:"-"`
}

// Check reports every fault of the description; development takes plain http to
// this machine.
func (p Provider) Check(development bool) []string {
	faults := p.Provider.Check()
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if !Address(p.Issuer, development) {
		add("issuer: %q must be an https URL without user, query and fragment", p.Issuer)
	}
	if p.ClientID == "" {
		add("client_id is missing: the provider gives it")
	}
	switch p.Auth {
	case PrivateKeyJWT:
		if p.KeyFile == "" || p.SecretFile != "" {
			add("key_file, and no secret_file, belongs to private_key_jwt")
		}
	case SecretBasic, SecretPost:
		if p.SecretFile == "" || p.KeyFile != "" {
			add("secret_file, and no key_file, belongs to %s", p.Auth)
		}
	default:
		add("client_auth: %q is none of private_key_jwt, client_secret_basic and client_secret_post", p.Auth)
	}
	for _, s := range slices.Concat(p.Scopes, p.ACR) {
		if s == "" || strings.ContainsAny(s, " \t\r\n") {
			add("scopes and acr_values: %q must be one word", s)
		}
	}
	return faults
}

// Address reports whether a URL is one that this server asks, or sends people to:
// https, or in development http of this machine.
func Address(raw string, development bool) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return false
	}
	if u.Scheme == "https" {
		return true
	}
	ip, err := netip.ParseAddr(u.Hostname())
	own := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return development && u.Scheme == "http" && own
}

// Metadata is what counts of a provider's configuration (OIDC Discovery §3).
type Metadata struct {
	Issuer     string   `json:"issuer"`
	Authorize  string   `json:"authorization_endpoint"`
	Token      string   `json:"token_endpoint"`
	Keys       string   `json:"jwks_uri"`
	EndSession string   `json:"end_session_endpoint"`
	NamesISS   bool     `json:"authorization_response_iss_parameter_supported"`
	PKCE       []string `json:"code_challenge_methods_supported"`
	Auth       []string `json:"token_endpoint_auth_methods_supported"`
}

// Discover reads a provider's configuration. The error is for the log and for
// operators only.
func (w Web) Discover(ctx context.Context, issuer string, development bool) (m Metadata, err error) {
	if err := w.Get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration", &m); err != nil {
		return m, fmt.Errorf("the OpenID configuration cannot be read: %w", err)
	}
	if m.Issuer != issuer {
		return Metadata{}, fmt.Errorf("the OpenID configuration names another issuer")
	}
	for name, location := range map[string]string{"authorization_endpoint": m.Authorize, "token_endpoint": m.Token, "jwks_uri": m.Keys} {
		if !Address(withoutQuery(location), development) {
			return Metadata{}, fmt.Errorf("the OpenID configuration has no %s that may be used", name)
		}
	}
	if m.EndSession != "" && !Address(withoutQuery(m.EndSession), development) {
		m.EndSession = ""
	}
	return m, nil
}

// withoutQuery cuts the query, which endpoints may have (RFC 6749 §3.1).
func withoutQuery(location string) string {
	before, _, _ := strings.Cut(location, "?")
	return before
}

// KeyFits reports whether the key can sign. Errors: errs.Invalid with code idp-key.
func (p Provider) KeyFits() error {
	_, err := algorithmOf(p.Key)
	return err
}

// Suits says what stands between the description and what the provider says of
// itself.
func (p Provider) Suits(m Metadata) (faults []string) {
	if len(m.PKCE) > 0 && !slices.Contains(m.PKCE, "S256") {
		faults = append(faults, "it does not take S256 of PKCE")
	}
	methods := m.Auth
	if len(methods) == 0 {
		methods = []string{string(SecretBasic)} // OIDC Discovery §3
	}
	if !slices.Contains(methods, string(p.Auth)) {
		faults = append(faults, fmt.Sprintf("client_auth: it takes %s", strings.Join(methods, ", ")))
	}
	if p.Logout && m.EndSession == "" {
		faults = append(faults, "logout: it has no end_session_endpoint")
	}
	return faults
}
