package udap

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// maxCRL is the greatest revocation list in bytes, and maxAhead by how much the
// clock of who made one may be ahead of ours.
const (
	maxCRL   = 8 << 20
	maxAhead = 5 * time.Minute
)

// List is a revocation list that was checked.
type List struct {
	// Revoked holds serial numbers in decimal.
	Revoked map[string]bool
	// Made and Next are when the list was made and when the next is promised;
	// Next is zero where the list does not say.
	Made, Next time.Time
}

// Extensions of lists (RFC 5280 §5.2).
var (
	oidDelta = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidScope = asn1.ObjectIdentifier{2, 5, 29, 28}
)

// scopeOfList is the issuingDistributionPoint extension (RFC 5280 §5.2.5).
type scopeOfList struct {
	Point          asn1.RawValue  `asn1:"optional,tag:0"`
	UserOnly       bool           `asn1:"optional,tag:1"`
	AuthorityOnly  bool           `asn1:"optional,tag:2"`
	Reasons        asn1.BitString `asn1:"optional,tag:3"`
	Indirect       bool           `asn1:"optional,tag:4"`
	AttributesOnly bool           `asn1:"optional,tag:5"`
}

// reasonRemoved is the reason by which a list takes a serial number off again.
const reasonRemoved = 8

// ReadList checks a revocation list, DER or PEM, which the certificate names by
// the location it was fetched from: it is signed by the certificate's issuer,
// speaks about certificates of this kind, was made before t and is not past its
// promised end. Errors: errs.Invalid with code udap-crl-invalid.
func ReadList(raw []byte, location string, cert, issuer *x509.Certificate, t time.Time) (*List, error) {
	crl, err := x509.ParseRevocationList(unarmoured(raw))
	if err != nil {
		return nil, errList("it cannot be read")
	}
	if !bytes.Equal(crl.RawIssuer, cert.RawIssuer) || crl.CheckSignatureFrom(issuer) != nil {
		return nil, errList("it is not signed by the issuer of the certificate")
	}
	for _, ext := range crl.Extensions {
		switch {
		case ext.Id.Equal(oidScope):
			if !speaksOf(ext.Value, location, cert) {
				return nil, errList("it does not speak about this certificate")
			}
		case ext.Id.Equal(oidDelta), ext.Critical:
			return nil, errList("it has an extension that is not understood")
		}
	}
	if crl.ThisUpdate.After(t.Add(maxAhead)) || !crl.NextUpdate.IsZero() && t.After(crl.NextUpdate) {
		return nil, errList("it is not valid at this time")
	}
	list := &List{Revoked: map[string]bool{}, Made: crl.ThisUpdate, Next: crl.NextUpdate}
	for _, e := range crl.RevokedCertificateEntries {
		if e.ReasonCode != reasonRemoved {
			list.Revoked[e.SerialNumber.String()] = true
		}
	}
	return list, nil
}

// speaksOf reports whether a list with a scope covers the certificate. Where an
// authority keeps several lists, another one of them would hide a revocation.
func speaksOf(der []byte, location string, cert *x509.Certificate) bool {
	var s scopeOfList
	if rest, err := asn1.Unmarshal(der, &s); err != nil || len(rest) > 0 {
		return false
	}
	if s.Indirect || s.AttributesOnly || s.Reasons.BitLength > 0 || s.UserOnly && cert.IsCA || s.AuthorityOnly && !cert.IsCA {
		return false
	}
	return len(s.Point.FullBytes) == 0 || bytes.Contains(s.Point.FullBytes, []byte(location))
}

// unarmoured gives the DER of a list that some hosts serve as PEM.
func unarmoured(raw []byte) []byte {
	if block, _ := pem.Decode(raw); block != nil && block.Type == "X509 CRL" {
		return block.Bytes
	}
	return raw
}

// Locations gives where the list that speaks of a certificate can be fetched.
func Locations(cert *x509.Certificate) []string {
	var out []string
	for _, at := range cert.CRLDistributionPoints {
		if strings.HasPrefix(at, "http://") || strings.HasPrefix(at, "https://") {
			out = append(out, at)
		}
	}
	return out
}

// Status is what is known of a certificate's revocation.
type Status string

// The statuses.
const (
	// StatusGood: no list that counts names it.
	StatusGood Status = "good"
	// StatusRevoked: its issuer took it back.
	StatusRevoked Status = "revoked"
	// StatusUnknown: it names a list and none that counts could be had, or it
	// names none and must.
	StatusUnknown Status = "unknown"
)

// ChainStatus asks the lists about every certificate of a chain but the anchor.
// Of several, the worst counts: revoked before unknown.
func ChainStatus(ctx context.Context, lists *Lists, chain []*x509.Certificate, policy CRLPolicy) Status {
	worst := StatusGood
	if policy == CRLOff {
		return worst
	}
	for i, cert := range chain[:len(chain)-1] {
		switch status := lists.status(ctx, cert, chain[i+1], policy); status {
		case StatusRevoked:
			return status
		case StatusUnknown:
			worst = status
		}
	}
	return worst
}

func errList(why string) error {
	return errs.New(errs.Invalid, "udap-crl-invalid", "The revocation list is refused: "+why+".")
}
