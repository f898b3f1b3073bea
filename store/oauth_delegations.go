package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/oauth"
)

// Delegations implements oauth.DelegationStore.
func (p *ports) Delegations(ctx context.Context, tenant, grantID string) ([]oauth.Delegation, error) {
	return list(ctx, p, func(r Row) (v oauth.Delegation, err error) {
		err = r.Scan(&v.Tenant, &v.GrantID, &v.ClientID, &v.Via, into(&v.Since), into(&v.Last), into(&v.Ended))
		return v, err
	}, `SELECT tenant, grant_id, client_id, via, since, last, ended FROM delegation
		WHERE tenant = $1 AND grant_id = $2 ORDER BY since, client_id`, tenant, grantID)
}

// Delegate implements oauth.DelegationStore.
func (p *ports) Delegate(ctx context.Context, v oauth.Delegation) error {
	stands, err := p.won(ctx, `INSERT INTO delegation (tenant, grant_id, client_id, via, since, last, ended)
		VALUES ($1, $2, $3, $4, $5, $6, 0)
		ON CONFLICT (tenant, grant_id, client_id) DO UPDATE SET last = excluded.last WHERE delegation.ended = 0`,
		v.Tenant, v.GrantID, v.ClientID, v.Via, micros(v.Since), micros(v.Last))
	if err == nil && !stands {
		return errs.New(errs.Conflict, "delegation-ended", "The person ended that this client acts.")
	}
	return err
}

// EndDelegation implements oauth.DelegationStore.
func (p *ports) EndDelegation(ctx context.Context, tenant, grantID, clientID string, t time.Time) (bool, error) {
	e := journal.Entry{Tenant: tenant, Kind: journal.Delegation, Subject: grantID, Class: clientID}
	return p.revoking(ctx, e, func(p *ports) (bool, error) {
		return p.won(ctx, `INSERT INTO delegation (tenant, grant_id, client_id, via, since, last, ended)
			VALUES ($1, $2, $3, '', $4, $4, $4)
			ON CONFLICT (tenant, grant_id, client_id) DO UPDATE SET ended = excluded.ended WHERE delegation.ended = 0`,
			tenant, grantID, clientID, micros(t))
	})
}
