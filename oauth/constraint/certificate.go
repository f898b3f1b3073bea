package constraint

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// Certificate is a TLS client certificate whose key the other side has proved to
// hold. Nothing else of it was verified.
type Certificate struct {
	Leaf *x509.Certificate
	// Chain are the further certificates that were sent.
	Chain []*x509.Certificate
}

// Thumbprint gives the value of x5t#S256, "" for no certificate.
func (c *Certificate) Thumbprint() string {
	if c == nil {
		return ""
	}
	sum := sha256.Sum256(c.Leaf.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Verify asks that the certificate comes from one of the authorities, for
// clients, and is valid at a time. Errors: errs.InvalidClient.
func (c *Certificate) Verify(roots *x509.CertPool, now time.Time) error {
	between := x509.NewCertPool()
	for _, one := range c.Chain {
		between.AddCert(one)
	}
	_, err := c.Leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return errs.Wrap(err, errs.InvalidClient, "certificate-untrusted", "The client certificate does not come from an authority that is trusted here, or has ended.")
	}
	return nil
}

// Current asks that a certificate which nobody vouches for is valid at a time.
// Errors: errs.InvalidClient.
func (c *Certificate) Current(now time.Time) error {
	if now.Before(c.Leaf.NotBefore) || now.After(c.Leaf.NotAfter) {
		return errs.New(errs.InvalidClient, "certificate-ended", "The client certificate is not valid at this time.")
	}
	return nil
}

// Subject is the one name by which a certificate is registered (RFC 8705
// §2.1.2). Exactly one field is set.
type Subject struct{ DN, DNS, URI, IP, Email string }

// Names reports whether a certificate bears the name. A DN is compared by its
// parts, each value letter by letter.
func (s Subject) Names(c *x509.Certificate) bool {
	switch {
	case s.DN != "":
		return sameDN(s.DN, c.RawSubject)
	case s.DNS != "":
		return slices.ContainsFunc(c.DNSNames, func(n string) bool { return strings.EqualFold(n, s.DNS) })
	case s.URI != "":
		for _, u := range c.URIs {
			if u.String() == s.URI {
				return true
			}
		}
	case s.IP != "":
		ip := net.ParseIP(s.IP)
		return ip != nil && slices.ContainsFunc(c.IPAddresses, ip.Equal)
	case s.Email != "":
		return slices.Contains(c.EmailAddresses, s.Email)
	}
	return false
}

// maxHeader bounds what is read of a header that holds certificates.
const maxHeader = 64 << 10

// FromHeader reads the fields Client-Cert and Client-Cert-Chain of RFC 9440, as
// a proxy that ended TLS wrote them; nil when there is none that can be read.
// Whoever calls it must know that the proxy did.
func FromHeader(cert, chain []string) *Certificate {
	leaf := binaries(cert)
	if len(leaf) != 1 {
		return nil
	}
	out := &Certificate{Leaf: leaf[0]}
	for _, one := range binaries(chain) {
		if !bytes.Equal(one.Raw, leaf[0].Raw) {
			out.Chain = append(out.Chain, one)
		}
	}
	return out
}

// binaries reads certificates as byte sequences of RFC 8941 §3.3.5; none at all
// when one is not a certificate.
func binaries(values []string) (out []*x509.Certificate) {
	text := strings.Join(values, ",")
	if text == "" || len(text) > maxHeader {
		return nil
	}
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if len(part) < 2 || part[0] != ':' || part[len(part)-1] != ':' {
			return nil
		}
		der, err := base64.StdEncoding.DecodeString(part[1 : len(part)-1])
		if err != nil {
			return nil
		}
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil
		}
		out = append(out, one)
	}
	return out
}
