package udap

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
)

// Statement is what a software statement says (UDP-16, UDP-17).
type Statement struct {
	Standard
	Name         string   `json:"client_name"`
	RedirectURIs []string `json:"redirect_uris"`
	Contacts     []string `json:"contacts"`
	LogoURI      string   `json:"logo_uri"`
	ClientURI    string   `json:"client_uri"`
	TosURI       string   `json:"tos_uri"`
	PolicyURI    string   `json:"policy_uri"`
	// GrantTypes is nil when left out, and empty to cancel (UDP-22).
	GrantTypes    []string `json:"grant_types"`
	ResponseTypes []string `json:"response_types"`
	AuthMethod    string   `json:"token_endpoint_auth_method"`
	Scope         string   `json:"scope"`
	// DPoPBound and CertificateBound ask for tokens that are bound to a key or to
	// the TLS certificate (RFC 9449 §5.2, RFC 8705 §3.4).
	DPoPBound        bool `json:"dpop_bound_access_tokens"`
	CertificateBound bool `json:"tls_client_certificate_bound_access_tokens"`
}

// The grant types that may be registered.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantItself  = "client_credentials"
)

// Cancels reports whether the statement takes the registration back.
func (s Statement) Cancels() bool { return s.GrantTypes != nil && len(s.GrantTypes) == 0 }

// ForItself reports whether a service registers, not an app of people.
func (s Statement) ForItself() bool { return slices.Contains(s.GrantTypes, grantItself) }

// Judge tells what is wrong with the metadata beyond what every registration is
// asked (UDP-17, UDP-18). Errors: errs.InvalidRedirectURI with code
// udap-redirect-uri; errs.InvalidClientMetadata with code udap-metadata.
func (s Statement) Judge() error {
	people := slices.Contains(s.GrantTypes, grantCode)
	for _, g := range s.GrantTypes {
		if g != grantCode && g != grantRefresh && g != grantItself {
			return errMetadata("grant_types may hold authorization_code, refresh_token and client_credentials")
		}
	}
	switch {
	case people == s.ForItself():
		return errMetadata("grant_types must hold either authorization_code or client_credentials")
	case s.ForItself() && slices.Contains(s.GrantTypes, grantRefresh):
		return errMetadata("refresh_token goes with authorization_code only")
	case strings.TrimSpace(s.Name) == "":
		return errMetadata("client_name is missing")
	case !slices.ContainsFunc(s.Contacts, mail):
		return errMetadata("contacts must hold at least one mailto: address")
	case s.AuthMethod != "private_key_jwt":
		return errMetadata("token_endpoint_auth_method must be private_key_jwt")
	case strings.TrimSpace(s.Scope) == "":
		return errMetadata("scope is missing")
	case people:
		return s.judgePeople()
	case len(s.RedirectURIs) > 0:
		return errRedirect("redirect_uris go with authorization_code only")
	case len(s.ResponseTypes) > 0:
		return errMetadata("response_types go with authorization_code only")
	}
	return nil
}

// judgePeople judges what only an app of people has.
func (s Statement) judgePeople() error {
	if len(s.RedirectURIs) == 0 {
		return errRedirect("redirect_uris are missing")
	}
	for _, raw := range s.RedirectURIs {
		if u, err := url.Parse(raw); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.Fragment != "" || strings.Contains(raw, "*") {
			return errRedirect("each of redirect_uris must be an https URL without user, fragment and wildcard")
		}
	}
	switch {
	case !slices.Equal(s.ResponseTypes, []string{"code"}):
		return errMetadata(`response_types must be ["code"]`)
	case !picture(s.LogoURI):
		return errMetadata("logo_uri must be the https URL of a PNG, JPG or GIF")
	}
	return nil
}

func mail(contact string) bool {
	return strings.HasPrefix(contact, "mailto:") && strings.Contains(contact, "@")
}

func picture(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return false
	}
	return slices.Contains([]string{".png", ".jpg", ".jpeg", ".gif"}, strings.ToLower(path.Ext(u.Path)))
}

// Negotiate gives the scopes of the request that the ceiling allows at the level
// at which the client acts, in the words of the request where they stay whole
// (UDP-20). Errors: errs.InvalidClientMetadata with code udap-scope when nothing
// is left.
func Negotiate(requested, ceiling string, itself bool) (string, error) {
	most, err := scope.Parse(ceiling, scope.Limits{})
	if err != nil {
		return "", errs.Wrap(err, errs.Internal, "udap-ceiling", "The scopes of the configuration cannot be read.")
	}
	asked, err := scope.Parse(requested, scope.Limits{})
	if err != nil {
		return "", errMetadata("scope cannot be read")
	}
	var out []string
	clinical := 0
	add := func(text string) {
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	for _, text := range asked.Texts {
		s, ok := scope.ParseScope(text)
		switch {
		case !ok && !itself && slices.Contains(most.Texts, text):
			add(text)
		case !ok || (s.Level == scope.System) != itself || !s.Supported() || s.Type != scope.AnyType && !scope.KnownType(s.Type):
		case most.Clinical.Covers(s):
			add(text)
			clinical++
		default:
			for _, part := range (scope.Set{s}).Intersect(most.Clinical) {
				add(part.String())
				clinical++
			}
		}
	}
	if len(out) == 0 || itself && clinical == 0 {
		return "", errs.New(errs.InvalidClientMetadata, "udap-scope", "None of the scopes asked for can be granted to this client.")
	}
	return strings.Join(out, " "), nil
}

func errMetadata(why string) error {
	return errs.New(errs.InvalidClientMetadata, "udap-metadata", "The registration is refused: "+why+".")
}

func errRedirect(why string) error {
	return errs.New(errs.InvalidRedirectURI, "udap-redirect-uri", "The registration is refused: "+why+".")
}
