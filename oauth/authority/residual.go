package authority

import (
	"context"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/oauth"
)

// Residual gives what a resource server must still withhold from a proxy beside
// the scopes, for one that enforces by itself (SC-13, PC-17). Nobody else may see
// it: it says which topics there are rules about. Errors: errs.Unavailable.
func (l *Loader) Residual(ctx context.Context, g oauth.Grant) ([]oauth.ResidualRule, error) {
	now := l.Clock.Now()
	st, err := l.Of(ctx, g.Tenant, g.Capacity, now)
	if err != nil || st.Policy == nil {
		return nil, err
	}
	var out []oauth.ResidualRule
	for _, f := range consent.ResidualFor(st.Policy, []fhir.Reference{g.Capacity.Acting}, g.Capacity.Purpose, now) {
		rule := oauth.ResidualRule{Type: "forbid", Labels: f.Labels}
		for _, d := range f.Data {
			rule.Data = append(rule.Data, oauth.ResidualData{Meaning: d.Meaning, Reference: oauth.ResidualReference{Reference: d.Reference.String()}})
		}
		out = append(out, rule)
	}
	return out, nil
}
