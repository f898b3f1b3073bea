package app

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/oauth/udap"
)

// UDAPConfig says which trust communities this server belongs to.
type UDAPConfig struct {
	// Communities are JSON files; see docs/operations/udap.md.
	Communities []string `name:"udap-community" key:"communities" help:"JSON file that describes a UDAP trust community that this server belongs to; may be repeated, the first is the default." placeholder:"FILE" type:"existingfile"`
	// CRLRefresh and CRLGrace are those of udap.ListsConfig.
	CRLRefresh time.Duration `name:"udap-crl-refresh" key:"crl_refresh" default:"5m" help:"How late a revoked certificate may still count (default ${default})." placeholder:"TIME"`
	CRLGrace   time.Duration `name:"udap-crl-grace" key:"crl_grace" default:"1h" help:"How long the last revocation list counts while its host does not answer; then its certificates are refused (default ${default})." placeholder:"TIME"`
	// Scopes is the ceiling of what UDAP clients may register for.
	Scopes string `name:"udap-scopes" key:"scopes" default:"openid fhirUser profile launch launch/patient launch/encounter offline_access online_access patient/*.rs user/*.rs system/*.rs" help:"Most that a client may register for by UDAP." placeholder:"SCOPES"`
}

// The bounds of the times.
const (
	minCRLRefresh = devCRLRefresh
	maxCRLRefresh = 24 * time.Hour
	maxCRLGrace   = 7 * 24 * time.Hour
)

// Validate reports every fault.
func (c *UDAPConfig) Validate() error {
	var f config.Faults
	if c.CRLRefresh != 0 && (c.CRLRefresh < minCRLRefresh || c.CRLRefresh > maxCRLRefresh) {
		f.Add("crl_refresh", "%s is not between %s and %s", c.CRLRefresh, minCRLRefresh, maxCRLRefresh)
	}
	if c.CRLGrace < 0 || c.CRLGrace > maxCRLGrace {
		f.Add("crl_grace", "%s is not between 0s and %s", c.CRLGrace, maxCRLGrace)
	}
	return f.Err()
}

// complete gives the settings with defaults in place of what a program left out.
func (c UDAPConfig) complete() UDAPConfig {
	if c.CRLRefresh == 0 {
		c.CRLRefresh = 5 * time.Minute
	}
	if c.Scopes == "" {
		c.Scopes = "patient/*.rs user/*.rs system/*.rs"
	}
	return c
}

// communityFile is a trust community as its file describes it. Names of files
// are relative to it.
type communityFile struct {
	Community              string         `json:"community"`
	Anchors                string         `json:"anchors_file"`
	Certificate            string         `json:"certificate_file"`
	Key                    string         `json:"key_file"`
	CRL                    udap.CRLPolicy `json:"crl"`
	Certifications         []string       `json:"certifications_supported"`
	CertificationsRequired []string       `json:"certifications_required"`
	Purposes               []string       `json:"purposes_of_use"`
	// Providers, Contacts and LogoURI are those of udap.Community.
	Providers map[string][]udap.PersonRule `json:"identity_providers"`
	Contacts  []string                     `json:"contacts"`
	LogoURI   string                       `json:"logo_uri"`
}

// readCommunity reads the file of a community and what it names. Errors name the
// file and the fault.
func readCommunity(path string) (udap.Community, error) {
	c, err := openCommunity(path)
	if err != nil {
		return udap.Community{}, fmt.Errorf("the UDAP community %s: %w", path, err)
	}
	return c, nil
}

func openCommunity(path string) (out udap.Community, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return out, err
	}
	f := communityFile{CRL: udap.CRLRequired}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return out, fmt.Errorf("it is not the JSON that docs/operations/udap.md describes: %w", err)
	}
	switch {
	case f.Community == "":
		return out, fmt.Errorf("community, the URI of the community, is missing")
	case f.CRL != udap.CRLRequired && f.CRL != udap.CRLNamed && f.CRL != udap.CRLOff:
		return out, fmt.Errorf("crl must be required, named or off")
	}
	if err := f.providers(); err != nil {
		return out, err
	}
	at := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(filepath.Dir(path), name)
	}
	out = udap.Community{
		URI: f.Community, CRL: f.CRL, Purposes: f.Purposes, KnownCertifications: f.Certifications, Certifications: f.CertificationsRequired,
		Providers: f.Providers, Contacts: f.Contacts, LogoURI: f.LogoURI,
	}
	if out.Anchors, err = readCertificates(at(f.Anchors)); err != nil {
		return out, fmt.Errorf("anchors_file: %w", err)
	}
	cred := udap.Credential{}
	if cred.Chain, err = readCertificates(at(f.Certificate)); err != nil {
		return out, fmt.Errorf("certificate_file: %w", err)
	}
	if cred.Key, err = readKey(at(f.Key)); err != nil {
		return out, fmt.Errorf("key_file: %w", err)
	}
	out.Server = func(base string) (udap.Credential, error) {
		// Which base it is for is judged where it is used.
		return cred, nil
	}
	return out, nil
}

// providers checks what is said of identity providers.
func (f communityFile) providers() error {
	for idp, rules := range f.Providers {
		if !strings.HasPrefix(idp, "https://") && idp != udap.AnyProvider {
			return fmt.Errorf("identity_providers: %q is neither an https URL nor *", idp)
		}
		for _, rule := range rules {
			if rule != udap.ByFHIRUser && rule != udap.ByUsername {
				return fmt.Errorf("identity_providers: %q is neither fhirUser nor username", rule)
			}
		}
	}
	if len(f.Providers) > 0 && (len(f.Contacts) == 0 || f.LogoURI == "") {
		return fmt.Errorf("identity_providers need contacts (mailto:) and logo_uri: providers ask for them")
	}
	return nil
}

// readCertificates reads the certificates of a PEM file.
func readCertificates(path string) ([]*x509.Certificate, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []*x509.Certificate
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("a certificate of %s cannot be read: %w", path, err)
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s holds no certificate in PEM", path)
	}
	return out, nil
}

// readKey reads a private key in PEM, which nobody else may read.
func readKey(path string) (crypto.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s is open to everybody; run: chmod o= %s", path, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s holds no private key in PEM", path)
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, fmt.Errorf("%s is no private key in PKCS#8, PKCS#1 or SEC 1", path)
	}
	return signer, nil
}

// communities reads the communities of the settings.
func (c UDAPConfig) communities() ([]udap.Community, error) {
	var out []udap.Community
	for _, path := range c.Communities {
		one, err := readCommunity(path)
		if err != nil {
			return nil, err
		}
		for _, other := range out {
			if other.URI == one.URI {
				return nil, fmt.Errorf("the UDAP community %s: %s is described twice", path, one.URI)
			}
		}
		out = append(out, one)
	}
	return out, nil
}

// trust gives the trust in communities, with an empty cache of revocation lists.
func (c UDAPConfig) trust(communities []udap.Community, fetch udap.Fetch, clock clock.Clock) *udap.Trust {
	c = c.complete()
	return &udap.Trust{Communities: communities, Clock: clock, Lists: udap.NewLists(udap.ListsConfig{
		Fetch: fetch, Clock: clock, Refresh: c.CRLRefresh / 4, Grace: c.CRLGrace,
	})}
}
