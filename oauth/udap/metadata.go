package udap

import (
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// Metadata is the document at {base}/.well-known/udap (UDP-02…UDP-08).
type Metadata struct {
	Versions           []string `json:"udap_versions_supported"`
	Profiles           []string `json:"udap_profiles_supported"`
	Extensions         []string `json:"udap_authorization_extensions_supported"`
	ExtensionsRequired []string `json:"udap_authorization_extensions_required"`
	Certifications     []string `json:"udap_certifications_supported"`
	// CertificationsRequired is left out where none are known.
	CertificationsRequired []string `json:"udap_certifications_required,omitzero"`
	GrantTypes             []string `json:"grant_types_supported"`
	Scopes                 []string `json:"scopes_supported"`
	Authorize              string   `json:"authorization_endpoint"`
	Token                  string   `json:"token_endpoint"`
	TokenAuth              []string `json:"token_endpoint_auth_methods_supported"`
	TokenAlgs              []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	Register               string   `json:"registration_endpoint"`
	RegisterAlgs           []string `json:"registration_endpoint_jwt_signing_alg_values_supported"`
	Signed                 string   `json:"signed_metadata"`
}

// Extension is the name of the one authorization extension.
const Extension = "hl7-b2b"

// Places are the addresses that the metadata name. Base has no trailing slash.
type Places struct {
	Base, Authorize, Token, Register string
	Scopes                           []string
}

// The life of signed metadata, and for how long they are handed out again: who
// fetches them last still has most of that life.
const (
	metadataLife = 7 * 24 * time.Hour
	metadataKept = 24 * time.Hour
)

// Documents gives the metadata of one FHIR base, signed once a day and kept. It
// is safe for concurrent use.
type Documents struct {
	Trust  *Trust
	Places Places
	Clock  clock.Clock
	IDs    ids.Source

	mu   sync.Mutex
	kept map[string]signedDocument
}

type signedDocument struct {
	metadata Metadata
	from     time.Time
	until    time.Time
}

// Of gives the metadata for a community, for the first one when none is named.
// Errors: errs.NotFound with code udap-not-offered when there is no community,
// and udap-community-unknown when the named one is not known or has no server
// certificate for this base (UDP-01, UDP-10).
func (d *Documents) Of(community string) (Metadata, error) {
	for i := range d.Trust.Communities {
		c := &d.Trust.Communities[i]
		if community != "" && c.URI != community {
			continue
		}
		m, err := d.signed(c)
		if errs.Is(err, errs.NotFound) {
			continue
		}
		return m, err
	}
	if community != "" {
		return Metadata{}, errs.New(errs.NotFound, "udap-community-unknown", "This server has no certificate of that trust community.")
	}
	return Metadata{}, errs.New(errs.NotFound, "udap-not-offered", "UDAP is not offered at this FHIR base.")
}

// Offered reports whether UDAP is offered at this base at all.
func (d *Documents) Offered() bool {
	_, err := d.Of("")
	return !errs.Is(err, errs.NotFound)
}

func (d *Documents) signed(c *Community) (Metadata, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.Clock.Now()
	if have, ok := d.kept[c.URI]; ok && !now.Before(have.from) && now.Before(have.until) {
		return have.metadata, nil
	}
	cred, err := c.Server(d.Places.Base)
	if err != nil {
		return Metadata{}, err
	}
	if err := cred.Validate(d.Places.Base, now); err != nil {
		return Metadata{}, err
	}
	m := d.describe(c)
	if m.Signed, err = d.sign(cred, now); err != nil {
		return Metadata{}, err
	}
	if d.kept == nil {
		d.kept = map[string]signedDocument{}
	}
	d.kept[c.URI] = signedDocument{m, now, now.Add(metadataKept)}
	return m, nil
}

func (d *Documents) describe(c *Community) Metadata {
	m := Metadata{
		Versions: []string{"1"}, Profiles: []string{"udap_dcr", "udap_authn", "udap_authz"},
		Extensions: []string{Extension}, ExtensionsRequired: []string{Extension}, Certifications: []string{},
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}, Scopes: d.Places.Scopes,
		Authorize: d.Places.Authorize, Token: d.Places.Token, Register: d.Places.Register,
		TokenAuth: []string{"private_key_jwt"}, TokenAlgs: Algorithms(), RegisterAlgs: Algorithms(),
	}
	if len(c.Providers) > 0 {
		m.Profiles = append(m.Profiles, "udap_to")
	}
	if known := c.known(); len(known) > 0 {
		m.Certifications, m.CertificationsRequired = known, append([]string{}, c.Certifications...)
	}
	return m
}

// signedClaims are those of signed_metadata (UDP-08).
type signedClaims struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Issued    int64  `json:"iat"`
	Expires   int64  `json:"exp"`
	ID        string `json:"jti"`
	Authorize string `json:"authorization_endpoint"`
	Token     string `json:"token_endpoint"`
	Register  string `json:"registration_endpoint"`
}

func (d *Documents) sign(cred Credential, now time.Time) (string, error) {
	ends := now.Add(metadataLife)
	if after := cred.Chain[0].NotAfter; after.Before(ends) {
		ends = after
	}
	claims := signedClaims{
		Issuer: d.Places.Base, Subject: d.Places.Base, Issued: now.Unix(), Expires: ends.Unix(), ID: d.IDs.ID(),
		Authorize: d.Places.Authorize, Token: d.Places.Token, Register: d.Places.Register,
	}
	return Sign(cred, claims)
}

// Sign makes a compact JWS with the certificates of the credential in its
// header. Errors: errs.Invalid with code udap-server-certificate.
func Sign(cred Credential, claims any) (string, error) {
	alg, err := algorithmOf(cred.Key.Public())
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithHeader("x5c", X5C(cred.Chain))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: cred.Key}, options)
	if err != nil {
		return "", errs.Wrap(err, errs.Invalid, "udap-server-certificate", "The server key cannot sign.")
	}
	out, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", errs.Wrap(err, errs.Invalid, "udap-server-certificate", "The server key cannot sign.")
	}
	return out, nil
}
