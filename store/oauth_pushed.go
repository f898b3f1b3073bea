package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

// CreatePushed implements oauth.PushedStore.
func (p *ports) CreatePushed(ctx context.Context, v oauth.Pushed) error {
	request, err := p.sealDoc(ctx, pushedPlace(v), v.Request)
	if err != nil {
		return err
	}
	return p.write(ctx, `INSERT INTO pushed_request (tenant, hash, client_id, request, created, expires, used)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		v.Tenant, v.Hash, v.ClientID, request, micros(v.Created), micros(v.Expires), micros(v.Used))
}

// PushedByHash implements oauth.PushedStore.
func (p *ports) PushedByHash(ctx context.Context, tenant, hash string) (oauth.Pushed, error) {
	var sealed string
	v, err := one(ctx, p, "pushed-request", func(r Row) (v oauth.Pushed, err error) {
		err = r.Scan(&v.Tenant, &v.Hash, &v.ClientID, &sealed, into(&v.Created), into(&v.Expires), into(&v.Used))
		return v, err
	}, `SELECT tenant, hash, client_id, request, created, expires, used FROM pushed_request
		WHERE tenant = $1 AND hash = $2`, tenant, hash)
	if err != nil {
		return oauth.Pushed{}, err
	}
	return v, p.openDoc(ctx, pushedPlace(v), sealed, &v.Request)
}

// UsePushed implements oauth.PushedStore.
func (p *ports) UsePushed(ctx context.Context, tenant, hash string, t time.Time) (bool, error) {
	return p.won(ctx, `UPDATE pushed_request SET used = $3 WHERE tenant = $1 AND hash = $2 AND used = 0`,
		tenant, hash, micros(t))
}

func pushedPlace(v oauth.Pushed) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "pushed_request", Column: "request", Row: v.Hash}
}
