package store

import (
	"context"
	"time"
)

// EndAccess implements lifecycle.Ends.
func (p *ports) EndAccess(ctx context.Context, tenant, person, patient, reason string, t time.Time) (int, error) {
	grants, err := p.GrantsOfPerson(ctx, tenant, person)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, g := range grants {
		if !g.Revoked.IsZero() || !g.Capacity.IsProxy() || patient != "" && g.Capacity.Patient != patient {
			continue
		}
		won, err := p.RevokeGrant(ctx, tenant, g.ID, reason, t)
		if err != nil {
			return n, err
		}
		if won {
			n++
		}
	}
	return n, nil
}
