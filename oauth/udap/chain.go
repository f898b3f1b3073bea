package udap

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// The limits of an x5c header.
const (
	maxCertificates = 6
	maxCertificate  = 8 << 10
)

// oidSAN is the extension with the subject's alternative names (RFC 5280
// §4.2.1.6), and tagURI the choice in it that is a URI.
var oidSAN = asn1.ObjectIdentifier{2, 5, 29, 17}

const tagURI = 6

// sanURIs reads the URIs of the extension's value. What cannot be read names
// nobody.
func sanURIs(der []byte) []string {
	var names asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &names); err != nil || len(rest) > 0 || !names.IsCompound {
		return nil
	}
	var out []string
	for rest := names.Bytes; len(rest) > 0; {
		var name asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return nil
		}
		if name.Class == asn1.ClassContextSpecific && name.Tag == tagURI {
			out = append(out, string(name.Bytes))
		}
	}
	return out
}

// ParseX5C reads the certificates of an x5c header: base64 DER, leaf first
// (RFC 7515 §4.1.6, UDP-11). Errors: errs.Invalid with code udap-x5c.
func ParseX5C(header []string) ([]*x509.Certificate, error) {
	if len(header) == 0 || len(header) > maxCertificates {
		return nil, errChain("udap-x5c", "x5c must hold 1 to 6 certificates, leaf first")
	}
	var out []*x509.Certificate
	for _, text := range header {
		if len(text) > maxCertificate {
			return nil, errChain("udap-x5c", "a certificate of x5c is too large")
		}
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, errChain("udap-x5c", "x5c is not base64")
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, errChain("udap-x5c", "a certificate of x5c cannot be read")
		}
		out = append(out, cert)
	}
	return out, nil
}

// X5C writes certificates as a header does.
func X5C(chain []*x509.Certificate) []string {
	var out []string
	for _, c := range chain {
		out = append(out, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return out
}

// Thumbprint names a certificate.
func Thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// CheckLeaf judges the certificate that a client shows for itself: what it may
// be used for and how strong its key is. Errors: errs.Invalid with code
// udap-leaf.
func CheckLeaf(leaf *x509.Certificate) error {
	switch {
	case leaf.IsCA:
		return errChain("udap-leaf", "the first certificate is that of an authority")
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return errChain("udap-leaf", "the certificate is not for signatures")
	case !strong(leaf.PublicKey):
		return errChain("udap-leaf", "the key must be RSA of 2048 bits or more, P-256 or P-384")
	}
	return nil
}

// BuildChains gives every chain from the first certificate to one of the
// anchors that is valid at t: leaf first, anchor last, with no weak key in it.
// Revocation is not asked. Errors: errs.Invalid with code udap-leaf,
// udap-certificate-expired or udap-certificate-untrusted.
func BuildChains(certs, anchors []*x509.Certificate, t time.Time) ([][]*x509.Certificate, error) {
	leaf := certs[0]
	if err := CheckLeaf(leaf); err != nil {
		return nil, err
	}
	if t.Before(leaf.NotBefore) || t.After(leaf.NotAfter) {
		return nil, errChain("udap-certificate-expired", "the certificate is not valid at this time")
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, a := range anchors {
		roots.AddCert(a)
	}
	for _, c := range certs[1:] {
		between.AddCert(c)
	}
	all, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: t, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "udap-certificate-untrusted", "The certificate is refused: it does not lead to an anchor of a trusted community.")
	}
	// An anchor vouches for others, never for itself.
	all = slices.DeleteFunc(all, func(chain []*x509.Certificate) bool {
		return len(chain) < 2 || slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return !strong(c.PublicKey) })
	})
	if len(all) == 0 {
		return nil, errChain("udap-certificate-untrusted", "no chain to an anchor has strong keys only")
	}
	return all, nil
}

func errChain(code, why string) error {
	return errs.New(errs.Invalid, code, "The certificate is refused: "+why+".")
}
