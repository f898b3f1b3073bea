package flow

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/access/preview"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/authority"
)

// maxHints bounds how many types of further context one request is given, each
// of which is a search.
const maxHints = 8

// contexts adds to the grant of a standalone launch one item of fhirContext for
// each further type that launch/<type> asked for: what changed last of the
// patient's (SMART CTX-15, CTX-16). Nothing is named that the grant does not
// open; where there is nothing, nothing is told. A role that was asked for is
// not known here, so the item has the role launch (CTX-17). An EHR launch has
// the context that the EHR gave. Errors: errs.Upstream.
func (s *Service) contexts(ctx context.Context, p oauth.Pending, st authority.Standing, g *oauth.Grant) error {
	patient := g.Record()
	if p.Request.Launch != "" || patient == "" {
		return nil
	}
	var types []string
	for _, h := range asked(p).LaunchHints {
		if h.Type != "Patient" && h.Type != "Encounter" && !slices.Contains(types, h.Type) && len(types) < maxHints {
			types = append(types, h.Type)
		}
	}
	if len(types) == 0 {
		return nil
	}
	in := access.Input{
		Grant: authority.View(*g), Policy: st.Policy, ProxyInForce: st.ProxyInForce, ProxyEnds: st.ProxyEnds, SafetyHold: st.SafetyHold, Now: g.Created,
		Labelling: s.Authority.Labelling,
	}
	in.Grant.Capacity.Patient = patient
	for _, typ := range types {
		found, err := preview.Latest(ctx, s.Record, in, typ)
		if err != nil {
			return err
		}
		if !found.IsZero() {
			g.Context.FHIRContext = append(g.Context.FHIRContext, oauth.ContextRef{Reference: found.String(), Type: typ})
		}
	}
	return nil
}
