package store

import (
	"context"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/proxy"
)

const requestColumns = `tenant, id, version, person_id, open, created, due, body`

func requestPlace(v proxy.Request) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "proxy_request", Column: "body", Row: v.ID}
}

func (p *ports) requests(ctx context.Context, sql string, args ...any) ([]proxy.Request, error) {
	var bodies []string
	all, err := list(ctx, p, func(r Row) (v proxy.Request, err error) {
		var body string
		var open int64
		err = r.Scan(&v.Tenant, &v.ID, &v.Version, &v.Person, &open, into(&v.Created), into(&v.Due), &body)
		v.Open = open != 0
		bodies = append(bodies, body)
		return v, err
	}, `SELECT `+requestColumns+` FROM proxy_request WHERE tenant = $1 AND `+sql, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := p.openDoc(ctx, requestPlace(all[i]), bodies[i], &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// RequestByID implements proxy.Requests.
func (p *ports) RequestByID(ctx context.Context, tenant, id string) (proxy.Request, error) {
	all, err := p.requests(ctx, `id = $2`, tenant, id)
	if err == nil && len(all) == 0 {
		err = notFound("proxy-request")
	}
	if err != nil {
		return proxy.Request{}, err
	}
	return all[0], nil
}

// RequestsOfPerson implements proxy.Requests.
func (p *ports) RequestsOfPerson(ctx context.Context, tenant, person string) ([]proxy.Request, error) {
	return p.requests(ctx, `person_id = $2 ORDER BY created DESC, id`, tenant, person)
}

// RequestsOpen implements proxy.Requests.
func (p *ports) RequestsOpen(ctx context.Context, tenant string, limit int) ([]proxy.Request, error) {
	return p.requests(ctx, `open <> 0 ORDER BY created, id LIMIT $2`, tenant, limit)
}

// PutRequest implements proxy.Requests.
func (p *ports) PutRequest(ctx context.Context, v proxy.Request, ifVersion int) (err error) {
	if v.Version, err = nextVersion(v.Version, ifVersion); err != nil {
		return err
	}
	body, err := p.sealDoc(ctx, requestPlace(v), v)
	if err != nil {
		return err
	}
	open := int64(0)
	if v.Open {
		open = 1
	}
	args := []any{v.Tenant, v.ID, v.Version, v.Person, open, micros(v.Created), micros(v.Due), body}
	if ifVersion == 0 {
		created, err := p.add(ctx, "tenant, id", `INSERT INTO proxy_request (`+requestColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, args...)
		if err == nil && !created {
			err = errExists("proxy-request")
		}
		return err
	}
	ok, err := p.won(ctx, `UPDATE proxy_request SET version = $3, person_id = $4, open = $5, created = $6, due = $7, body = $8
		WHERE tenant = $1 AND id = $2 AND version = $9`, append(args, ifVersion)...)
	if err == nil && !ok {
		err = errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
	}
	return err
}
