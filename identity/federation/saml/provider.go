package saml

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/mandate-health/mandate/identity/federation"
)

// Provider is a SAML identity provider as an operator describes it.
type Provider struct {
	federation.Provider
	// EntityID is pinned: metadata and answers that name another one do not count.
	EntityID string `json:"entity_id"`
	// The provider's metadata is in a file or at a URL.
	MetadataFile string `json:"metadata_file,omitempty"`
	MetadataURL  string `json:"metadata_url,omitempty"`
	// KeyFile holds our private key in PEM, CertificateFile its certificate, which
	// our metadata shows: requests are signed with it, assertions encrypted to it.
	KeyFile         string `json:"key_file"`
	CertificateFile string `json:"certificate_file"`
	// Subject names the attribute that identifies a person for good; without, the
	// NameID does, which must be persistent then.
	Subject string `json:"subject,omitempty"`
	// Context is the class of log-in that is asked for (RequestedAuthnContext).
	Context string `json:"authn_context,omitempty"`
	// Unasked lets the provider's own pages send people here: what they bring is not
	// believed, a log-in of ours begins instead.
	Unasked bool `json:"idp_initiated,omitempty"`

	// Key and Certificate are what the files hold.
	Key         *rsa.PrivateKey   `json:"-"`
	Certificate *x509.Certificate `json:"-"`
}

// minRSABits is the size of the smallest key, ours or the provider's.
const minRSABits = 2048

// Check reports every fault of the description; development takes plain http to this
// machine.
func (p Provider) Check(development bool) []string {
	faults := p.Provider.Check()
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if u, err := url.Parse(p.EntityID); err != nil || u.Scheme == "" || len(p.EntityID) > 1024 {
		add("entity_id: %q must be the URI by which the provider calls itself", p.EntityID)
	}
	if (p.MetadataFile == "") == (p.MetadataURL == "") {
		add("metadata_file or metadata_url: one of them is needed")
	}
	if p.MetadataURL != "" && !address(p.MetadataURL, development) {
		add("metadata_url: %q must be an https URL", p.MetadataURL)
	}
	if p.KeyFile == "" || p.CertificateFile == "" {
		add("key_file and certificate_file are needed: requests are signed")
	}
	for i, a := range p.Assurance {
		if len(a.AMR) > 0 {
			add("assurance[%d]: amr: SAML states a class of log-in only; use acr for the AuthnContextClassRef", i)
		}
	}
	if strings.ContainsAny(p.Context, " \t\r\n") {
		add("authn_context: %q must be one URI", p.Context)
	}
	return faults
}

// KeyFits says what is wrong with our key and certificate, "" for nothing.
func (p Provider) KeyFits() string {
	switch {
	case p.Key.N.BitLen() < minRSABits:
		return "key_file: the key must be RSA of 2048 bits or more"
	case !p.Key.PublicKey.Equal(p.Certificate.PublicKey):
		return "certificate_file: the certificate is not one of the key"
	}
	return ""
}

// ending is how long before the end of a certificate operators are told.
const ending = 30 * 24 * time.Hour

// Suits says what stands between the description and what the provider says of itself
// at now, and what soon will.
func (p Provider) Suits(m Metadata, now time.Time) (faults, soon []string) {
	for what, end := range map[string]time.Time{"certificate_file: our certificate": p.Certificate.NotAfter, "the provider's last certificate for signatures": m.Ends()} {
		switch {
		case !now.Before(end):
			faults = append(faults, what+" has ended")
		case !now.Add(ending).Before(end):
			soon = append(soon, what+" ends on "+end.UTC().Format(time.DateOnly))
		}
	}
	return faults, soon
}

// address reports whether a URL is one that this server asks, or sends people to:
// https, or in development http of this machine.
func address(raw string, development bool) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	own := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u.Scheme == "https" || development && u.Scheme == "http" && own
}
