package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

// PutPending implements oauth.TokenStore. A request that was answered stays
// answered, whatever the given value says.
func (p *ports) PutPending(ctx context.Context, v oauth.Pending) error {
	request, err := p.sealDoc(ctx, pendingPlace(v, "request"), v.Request)
	if err != nil {
		return err
	}
	launch, err := p.sealDoc(ctx, pendingPlace(v, "context"), v.Context)
	if err != nil {
		return err
	}
	return p.write(ctx, `INSERT INTO pending
		(tenant, id, browser, request, context, launch_user, session_hash, person_id, capacity, created, expires, done)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (tenant, id) DO UPDATE SET browser = excluded.browser, request = excluded.request,
			context = excluded.context, launch_user = excluded.launch_user, session_hash = excluded.session_hash,
			person_id = excluded.person_id, capacity = excluded.capacity, created = excluded.created,
			expires = excluded.expires, done = CASE WHEN pending.done <> 0 THEN pending.done ELSE excluded.done END`,
		v.Tenant, v.ID, v.Browser, request, launch, v.LaunchUser.String(), v.SessionHash, v.PersonID,
		doc(v.Capacity), micros(v.Created), micros(v.Expires), micros(v.Done))
}

// PendingByID implements oauth.TokenStore.
func (p *ports) PendingByID(ctx context.Context, tenant, id string) (oauth.Pending, error) {
	var request, launch string
	v, err := one(ctx, p, "pending", func(r Row) (v oauth.Pending, err error) {
		err = r.Scan(&v.Tenant, &v.ID, &v.Browser, &request, &launch, reference{&v.LaunchUser},
			&v.SessionHash, &v.PersonID, doc(&v.Capacity), into(&v.Created), into(&v.Expires), into(&v.Done))
		return v, err
	}, `SELECT tenant, id, browser, request, context, launch_user, session_hash, person_id, capacity, created, expires,
		done FROM pending WHERE tenant = $1 AND id = $2`, tenant, id)
	if err != nil {
		return oauth.Pending{}, err
	}
	if err := p.openDoc(ctx, pendingPlace(v, "request"), request, &v.Request); err != nil {
		return oauth.Pending{}, err
	}
	return v, p.openDoc(ctx, pendingPlace(v, "context"), launch, &v.Context)
}

func pendingPlace(v oauth.Pending, column string) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "pending", Column: column, Row: v.ID}
}

// FinishPending implements oauth.TokenStore.
func (p *ports) FinishPending(ctx context.Context, tenant, id string, t time.Time) (bool, error) {
	return p.won(ctx, `UPDATE pending SET done = $3 WHERE tenant = $1 AND id = $2 AND done = 0`,
		tenant, id, micros(t))
}
