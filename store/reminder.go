package store

import (
	"context"
	"time"
)

// Keepers implements reminder.Store.
func (p *ports) Keepers(ctx context.Context, tenant, after string, before, now time.Time, limit int) ([]string, error) {
	return list(ctx, p, scanText, `SELECT DISTINCT person_id FROM app_grant
		WHERE tenant = $1 AND person_id <> '' AND person_id > $2 AND offline = $3 AND revoked = 0 AND created < $4 AND ends > $5
		ORDER BY person_id LIMIT $6`, tenant, after, true, micros(before), micros(now), limit)
}
