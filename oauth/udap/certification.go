package udap

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// maxCertifications bounds how many certifications of a request are read.
const maxCertifications = 8

// certification is a third party's word for a client.
type certification struct {
	Standard
	URIs []string `json:"certification_uris"`
}

// certified reports whether the certifications that the community requires are
// among those shown. Unknown ones, and ones that prove nothing, are ignored
// (UDP-23). Errors: errs.UnapprovedSoftwareStatement with code
// udap-certification-missing.
func (r *Registrar) certified(ctx context.Context, j judged, shown []string, now time.Time) error {
	community := j.member.Community
	if len(community.Certifications) == 0 {
		return nil
	}
	var have []string
	for _, compact := range shown[:min(len(shown), maxCertifications)] {
		have = append(have, r.certification(ctx, j, compact, now)...)
	}
	for _, uri := range community.Certifications {
		if !slices.Contains(have, uri) {
			return errs.New(errs.UnapprovedSoftwareStatement, "udap-certification-missing",
				"The registration is refused: a certification that the community requires is missing or not valid.")
		}
	}
	return nil
}

// certification gives the URIs of one that is about the client and comes from a
// member of the community, or, for its own declaration, from the client itself.
func (r *Registrar) certification(ctx context.Context, j judged, compact string, now time.Time) []string {
	signed, err := ReadSigned(compact)
	if err != nil {
		return nil
	}
	var c certification
	if signed.Claims(&c) != nil || c.Subject != j.statement.Issuer || !slices.Contains(URIs(signed.Certificates[0]), c.Issuer) {
		return nil
	}
	if c.Expiry == nil || !now.Before(c.Expiry.Time()) || c.IssuedAt == nil || c.IssuedAt.Time().After(now.Add(maxSkew)) {
		return nil
	}
	if _, err := r.Trust.Verify(ctx, signed.Certificates, j.member.Community.URI); err != nil {
		return nil
	}
	return c.URIs
}
