package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/oauth/registration"
)

// NoteUses implements registration.UseStore. Nodes note the same client on the same
// day; the latest time wins.
func (p *ports) NoteUses(ctx context.Context, uses []registration.Use) error {
	return p.atomic(ctx, func(p *ports) error {
		for _, u := range uses {
			err := p.write(ctx, `INSERT INTO client_use (tenant, client_id, used) VALUES ($1, $2, $3)
				ON CONFLICT (tenant, client_id) DO UPDATE SET used = CASE WHEN excluded.used > client_use.used THEN excluded.used ELSE client_use.used END`,
				u.Tenant, u.ClientID, micros(u.At))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Uses implements registration.UseStore.
func (p *ports) Uses(ctx context.Context, tenant string) (map[string]time.Time, error) {
	rows, err := list(ctx, p, func(r Row) (u registration.Use, err error) {
		err = r.Scan(&u.ClientID, into(&u.At))
		return u, err
	}, `SELECT client_id, used FROM client_use WHERE tenant = $1`, tenant)
	out := make(map[string]time.Time, len(rows))
	for _, u := range rows {
		out[u.ClientID] = u.At
	}
	return out, err
}

// ClientsWithGrants implements registration.UseStore. It reads all live grants.
func (p *ports) ClientsWithGrants(ctx context.Context, tenant string, now time.Time) ([]string, error) {
	return list(ctx, p, func(r Row) (id string, err error) {
		err = r.Scan(&id)
		return id, err
	}, `SELECT DISTINCT client_id FROM app_grant WHERE tenant = $1 AND revoked = 0 AND ends > $2 ORDER BY client_id`, tenant, micros(now))
}
