package registration

import (
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/mandate-health/mandate/oauth"
)

// Rules say what a registration may hold beyond what every one may.
type Rules struct {
	// Operator says that an operator vouches for the client: it may stay
	// nameless, and use loopback addresses and short private URI schemes
	// whatever its kind.
	Operator bool
	// Development also takes plain http to other machines. Unsafe elsewhere.
	Development bool
	// Certified says that the client proves its keys by a certificate, so that
	// it registers none (UDAP).
	Certified bool
}

// The greatest sizes of what a client says, in bytes or in pieces.
const (
	maxName    = 120
	maxText    = 255
	maxURI     = 2000
	maxURIs    = 50
	maxReason  = 300
	maxReasons = 50
	maxClient  = 128
)

// Check gives the client that an entry describes, or all its faults. Tenant,
// credentials other than keys, and dates are left to the caller, and so is the
// secret of a symmetric client.
func (r Rules) Check(e Entry) (oauth.Client, Faults) {
	var f Faults
	m, conflict := e.ofKind()
	if e.Kind == "" && m.AuthMethod == "" && !r.Operator {
		// RFC 7591 §2; whoever registers keys means to use them.
		if m.AuthMethod = methodBasic; len(m.JWKS) > 0 || m.JWKSURI != "" || r.Certified {
			m.AuthMethod = methodKey
		}
	}
	if conflict {
		f.add("kind", "does not go with token_endpoint_auth_method and grant_types")
	}
	if e.ID != "" && !clientID(e.ID) {
		f.add("client_id", "must have at most 128 printable ASCII characters, none of them a space")
	}
	c := oauth.Client{
		ID: e.ID, Kind: r.kind(e, m, &f), Name: m.Name, Publisher: m.Publisher, LogoURI: m.LogoURI, PolicyURI: m.PolicyURI,
		ClientURI: m.ClientURI, TosURI: m.TosURI, Contacts: m.Contacts, SoftwareID: m.SoftwareID, SoftwareVersion: m.SoftwareVersion,
		ApplicationType: m.ApplicationType, AuthMethod: m.AuthMethod, JWKS: m.JWKS, JWKSURI: m.JWKSURI,
		RedirectURIs: m.RedirectURIs, LaunchURIs: m.LaunchURIs, Scopes: m.Scope, AllowedOrigins: m.AllowedOrigins,
		IntrospectionAlg: m.IntrospectionAlg,
		IDTokenAlg:       m.IDTokenAlg, RequiredScopes: m.RequiredScopes, Introspect: e.Introspect, IntrospectConsents: e.IntrospectConsents, RegisterLaunch: e.RegisterLaunch,
		RefreshIDToken: e.RefreshIDToken, AccessTokenFormat: e.AccessTokenFormat, SecretForItself: e.SecretForItself, StepUp: e.StepUp,
		AllowedAddresses: e.AllowedAddresses, EvaluateAccess: e.EvaluateAccess,
		AppStateCodes: e.AppStateCodes, AppStateReadCodes: e.AppStateReadCodes, AppStateGlobal: e.AppStateGlobal,
		TokenExchange: e.TokenExchange || m.wants(grantExchange), MayAct: e.MayAct, PatientGroup: e.PatientGroup,
		PostLogoutRedirectURIs: m.PostLogoutRedirectURIs, BackchannelLogoutURI: m.BackchannelLogoutURI,
		DeviceFlow: e.DeviceFlow || m.wants(grantDevice), DPoPBound: m.DPoPBound, DPoPNonce: m.DPoPNonce,
	}
	m.Authorization.put(&c)
	m.Certificate.put(&c)
	c.AdoptProfile()
	m.Authorization.check(c, &f)
	m.Certificate.check(c, &f)
	checkProfile(c, &f)
	checkLogIns(c, &f)
	checkStateCodes(c, &f)
	r.checkKeys(c, &f)
	r.checkAddresses(c, &f)
	r.checkTexts(c, &f)
	checkFormats(c, &f)
	r.checkScopes(c, &f)
	return c, f
}

// kind finds how the client proves itself.
func (r Rules) kind(e Entry, m Metadata, f *Faults) oauth.ClientKind {
	itself := slices.Contains(m.GrantTypes, grantItself)
	for _, g := range m.GrantTypes {
		if !slices.Contains(r.grants(), g) {
			f.add("grant_types", "may hold "+strings.Join(r.grants(), ", "))
			break
		}
	}
	alone := itself || m.wants(grantDevice) || m.wants(grantExchange)
	switch {
	case m.GrantTypes != nil && !alone && !m.wants(grantCode):
		f.add("grant_types", "must hold authorization_code, client_credentials, or a grant type that needs neither")
	case itself && slices.Contains(m.GrantTypes, grantCode):
		f.add("grant_types", "must not hold both: a client that acts for people and for itself registers twice")
	case itself && len(m.ResponseTypes) > 0:
		f.add("response_types", "must be empty for a client that acts for itself")
	}
	if slices.ContainsFunc(m.ResponseTypes, func(t string) bool { return t != respondCode }) || m.ResponseTypes != nil && !alone && len(m.ResponseTypes) == 0 {
		f.add("response_types", "may hold only code")
	}
	switch m.AuthMethod {
	case methodNone:
		if itself {
			f.add("token_endpoint_auth_method", "must be private_key_jwt for a client that acts for itself")
		}
		return oauth.ClientPublic
	case methodKey, oauth.MethodTLS, oauth.MethodTLSOfSelf:
		if itself {
			return oauth.ClientBackend
		}
		return oauth.ClientAsymmetric
	case methodBasic, methodPost:
		if itself && !e.SecretForItself {
			f.add("token_endpoint_auth_method", "must be private_key_jwt for a client that acts for itself")
		}
		return oauth.ClientSymmetric
	}
	if e.Kind != "" || r.Operator && m.AuthMethod == "" {
		f.add("kind", "must be public, symmetric, asymmetric or backend")
	} else {
		f.add("token_endpoint_auth_method", "must be none, client_secret_basic, client_secret_post, private_key_jwt, tls_client_auth or self_signed_tls_client_auth")
	}
	return ""
}

// grants gives the grant types that a registration may hold. Who is known by a
// certificate asks nobody, and gets those only that need no decision.
func (r Rules) grants() []string {
	all := []string{grantCode, grantRefresh, grantItself}
	if r.Certified {
		return all
	}
	return append(all, grantDevice, grantExchange)
}

// wants reports whether the client names a grant type.
func (m Metadata) wants(grant string) bool { return slices.Contains(m.GrantTypes, grant) }

func clientID(id string) bool {
	return len(id) <= maxClient && !strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' })
}

// resourceID reports whether s is a logical id of FHIR.
func resourceID(s string) bool {
	return len(s) <= 64 && !strings.ContainsFunc(s, func(c rune) bool {
		return c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

func checkFormats(c oauth.Client, f *Faults) {
	if c.IDTokenAlg != "" && c.IDTokenAlg != "RS256" && c.IDTokenAlg != "ES256" {
		f.add("id_token_signed_response_alg", "must be RS256 or ES256")
	}
	if c.IntrospectionAlg != "" && c.IntrospectionAlg != "RS256" && c.IntrospectionAlg != "ES256" {
		f.add("introspection_signed_response_alg", "must be RS256 or ES256")
	}
	if c.AccessTokenFormat != "" && c.AccessTokenFormat != oauth.FormatJWT && c.AccessTokenFormat != oauth.FormatOpaque {
		f.add("access_token_format", "must be jwt or opaque")
	}
	if c.ApplicationType != "" && c.ApplicationType != typeNative && c.ApplicationType != typeWeb {
		f.add("application_type", "must be native or web")
	}
	if c.SecretForItself && (c.Kind != oauth.ClientSymmetric || len(c.RedirectURIs) > 0) {
		f.add("client_credentials_by_secret", "is for a symmetric client without redirect_uris")
	}
	if c.ForItself() && c.DeviceFlow {
		f.add("device_authorization", "is for clients that act for people")
	}
	if c.PatientGroup != "" && (!c.ForItself() || !resourceID(c.PatientGroup)) {
		f.add("patient_group", "must be the id of a Group, for a client that acts for itself")
	}
	if c.Kind == oauth.ClientPublic && c.TokenExchange {
		f.add("token_exchange", "is for clients that have a credential")
	}
	if c.IntrospectConsents && !c.Introspect {
		f.add("introspect_consents", "is for clients with introspect")
	}
	if len(c.MayAct) > maxURIs || slices.ContainsFunc(c.MayAct, func(id string) bool { return id == "" || !clientID(id) }) {
		f.add("may_act", "must hold at most 50 client_ids")
	}
	if c.Kind == oauth.ClientPublic && (c.Introspect || c.RegisterLaunch || c.EvaluateAccess) {
		f.add("introspect", "and register_launch and evaluate_access are for clients that have a credential")
	}
}

// checkTexts judges what people will read.
func (r Rules) checkTexts(c oauth.Client, f *Faults) {
	if c.Name == "" && !r.Operator {
		f.add("client_name", "is missing: people are asked by it")
	}
	for member, text := range map[string]string{"client_name": c.Name, "publisher": c.Publisher} {
		if len([]rune(text)) > maxName || !plain(text) {
			f.add(member, "must have at most 120 characters, none of them invisible")
		}
	}
	for member, text := range map[string]string{"software_id": c.SoftwareID, "software_version": c.SoftwareVersion} {
		if len(text) > maxText || !plain(text) {
			f.add(member, "must have at most 255 characters, none of them invisible")
		}
	}
	if len(c.Contacts) > maxURIs || slices.ContainsFunc(c.Contacts, func(s string) bool { return !contact(s) }) {
		f.add("contacts", "must be e-mail addresses, or mailto:, tel: or https: addresses")
	}
	if len(c.RequiredScopes) > maxReasons {
		f.add("required_scopes", "are too many")
	}
	asked := strings.Fields(c.Scopes)
	for scope, why := range c.RequiredScopes {
		if len([]rune(why)) > maxReason || !plain(why) || why == "" {
			f.add("required_scopes", "must give each scope a reason of at most 300 characters")
			break
		}
		if c.Scopes != "" && !slices.Contains(asked, scope) && !r.Operator {
			f.add("required_scopes", "must name scopes that stand in scope")
			break
		}
	}
}

// plain reports whether a text shows all that it holds: nothing invisible,
// nothing that turns the direction of writing.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool {
		return c == unicode.ReplacementChar || !unicode.IsPrint(c)
	})
}

func contact(s string) bool {
	if len(s) > maxText || !plain(s) {
		return false
	}
	if a, err := mail.ParseAddress(s); err == nil {
		return a.Address == s
	}
	u, err := url.Parse(s)
	if err != nil {
		return false
	}
	switch u.Scheme {
	case "mailto":
		a, err := mail.ParseAddress(u.Opaque)
		return err == nil && a.Address == u.Opaque
	case "tel":
		return u.Opaque != ""
	case "https":
		return u.Host != "" && u.User == nil
	}
	return false
}
