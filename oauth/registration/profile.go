package registration

import (
	"context"
	"maps"
	"slices"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/oauth"
)

// checkProfile judges whether a registration keeps its security profile.
func checkProfile(c oauth.Client, f *Faults) {
	wrong := c.Contradictions()
	for _, member := range slices.Sorted(maps.Keys(wrong)) {
		f.add(member, wrong[member])
	}
}

// kept gives the error of a registration that does not keep its profile after
// what it may not loosen was put back. Errors: those of Faults.Err.
func kept(c oauth.Client) error {
	var f Faults
	checkProfile(c, &f)
	return f.Err()
}

// Hold holds a client to a security profile from now on; "" changes nothing. Its
// registration must not contradict it. Errors: those of Update and of Faults.Err.
func (s *Service) Hold(ctx context.Context, tenant, id, profile string, origin audit.Event) (oauth.Client, error) {
	return s.Update(ctx, Change{Tenant: tenant, ID: id, Reason: ReasonEdited, Origin: origin, Apply: func(c *oauth.Client) error {
		c.SecurityProfile = profile
		c.AdoptProfile()
		return nil
	}})
}
