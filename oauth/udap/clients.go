package udap

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
)

// assertionClaims are those of an authentication token (UDP-25).
type assertionClaims struct {
	Standard
	Extensions map[string]json.RawMessage `json:"extensions"`
}

// Assert judges the assertion of a client that is known by its certificate: iss
// and sub are its client_id, the certificate is trusted in the community in which
// the client registered, and names the URI by which it did. Errors:
// errs.InvalidClient with the codes of ReadSigned, Standard.Check and
// Trust.Verify, and udap-certificate-subject.
func (t *Trust) Assert(ctx context.Context, c oauth.Client, compact string, audiences []string) (oauth.CertifiedAssertion, error) {
	out, err := t.assert(ctx, c, compact, audiences)
	if errs.Is(err, errs.Invalid) {
		err = as(err, errs.InvalidClient)
	}
	return out, err
}

func (t *Trust) assert(ctx context.Context, c oauth.Client, compact string, audiences []string) (oauth.CertifiedAssertion, error) {
	signed, err := ReadSigned(compact)
	if err != nil {
		return oauth.CertifiedAssertion{}, err
	}
	var claims assertionClaims
	if err := signed.Claims(&claims); err != nil {
		return oauth.CertifiedAssertion{}, err
	}
	if err := claims.Check(audiences, t.Clock.Now()); err != nil {
		return oauth.CertifiedAssertion{}, err
	}
	if claims.Issuer != c.ID {
		return oauth.CertifiedAssertion{}, errs.New(errs.Invalid, "udap-jwt-issuer", "The JWT is refused: iss and sub must both name the client.")
	}
	if !slices.Contains(URIs(signed.Certificates[0]), c.UDAP.Issuer) {
		return oauth.CertifiedAssertion{}, errSubject()
	}
	member, err := t.Verify(ctx, signed.Certificates, c.UDAP.Community)
	if err != nil {
		return oauth.CertifiedAssertion{}, err
	}
	return oauth.CertifiedAssertion{
		JTI: claims.ID, Until: claims.Until(), Chain: X5C(member.Chain), Extensions: claims.Extensions,
	}, nil
}

// Purpose reads in whose name and for what purpose a service asks (UDP-29,
// UDP-30). Errors: errs.InvalidGrant, those of oauth.ParseB2B.
func (t *Trust) Purpose(c oauth.Client, extensions map[string]json.RawMessage) (*oauth.B2B, error) {
	purposes := purposesOfUse
	if community := t.Community(c.UDAP.Community); community != nil && len(community.Purposes) > 0 {
		purposes = community.Purposes
	}
	return oauth.ParseB2B(extensions[Extension], purposes)
}

// purposesOfUse are the codes of the value set v3-PurposeOfUse.
var purposesOfUse = []string{
	"HMARKT", "HOPERAT", "CAREMGT", "DONAT", "FRAUD", "GOV", "HACCRED", "HCOMPL", "HDECD", "HDIRECT", "HDM", "HLEGAL",
	"HOUTCOMS", "HPRGRP", "HQUALIMP", "HSYSADMIN", "LABELING", "METAMGT", "MEMADMIN", "MILCDM", "PATADMIN", "PATSFTY",
	"PERFMSR", "RECORDMGT", "SYSDEV", "HTEST", "TRAIN", "HPAYMT", "CLMATTCH", "COVAUTH", "COVERAGE", "ELIGDTRM",
	"ELIGVER", "ENROLLM", "MILDCRG", "REMITADV", "HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC",
	"PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH", "PATRQT", "FAMRQT", "PWATRNY", "SUPNWK", "PUBHLTH", "DISASTER",
	"THREAT", "TREAT", "CLINTRL", "COC", "ETREAT", "BTG", "ERTREAT", "POPHLTH",
}

func errSubject() error {
	return errs.New(errs.Invalid, "udap-certificate-subject", "The certificate is refused: no SAN URI of it is that of the client.")
}

// as gives a refusal in the kind that an endpoint answers with.
func as(err error, kind errs.Kind) error {
	e := errs.As(err)
	return errs.Wrap(err, kind, e.Code, e.Msg)
}
