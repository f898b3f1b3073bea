package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mandate-health/mandate/access/matter"
	"github.com/mandate-health/mandate/internal/errs"
)

const matterColumns = `tenant, id, version, patient, open, warned, due, body`

func (p *ports) matters(ctx context.Context, sql string, args ...any) ([]matter.Matter, error) {
	return list(ctx, p, func(r Row) (v matter.Matter, err error) {
		var open, warned int64
		var body string
		if err := r.Scan(&v.Tenant, &v.ID, &v.Version, &v.Patient, &open, &warned, into(&v.Due), &body); err != nil {
			return v, err
		}
		v.Open = open != 0
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			return v, errs.Wrap(err, errs.Internal, "stored-matter", "A stored matter cannot be read.")
		}
		return v, nil
	}, `SELECT `+matterColumns+` FROM matter WHERE tenant = $1 AND `+sql, args...)
}

// MatterByID implements matter.Store.
func (p *ports) MatterByID(ctx context.Context, tenant, id string) (matter.Matter, error) {
	all, err := p.matters(ctx, `id = $2`, tenant, id)
	if err == nil && len(all) == 0 {
		err = notFound("matter")
	}
	if err != nil {
		return matter.Matter{}, err
	}
	return all[0], nil
}

// MattersOpen implements matter.Store.
func (p *ports) MattersOpen(ctx context.Context, tenant string, limit int) ([]matter.Matter, error) {
	return p.matters(ctx, `open <> 0 ORDER BY due, id LIMIT $2`, tenant, limit)
}

// MattersOf implements matter.Store.
func (p *ports) MattersOf(ctx context.Context, tenant, patient string) ([]matter.Matter, error) {
	return p.matters(ctx, `open <> 0 AND patient = $2 ORDER BY due, id`, tenant, patient)
}

// MattersDue implements matter.Store.
func (p *ports) MattersDue(ctx context.Context, tenant string, now time.Time, limit int) ([]matter.Matter, error) {
	return p.matters(ctx, `open <> 0 AND due < $2 AND warned = 0 ORDER BY due, id LIMIT $3`, tenant, micros(now), limit)
}

// PutMatter implements matter.Store.
func (p *ports) PutMatter(ctx context.Context, v matter.Matter, ifVersion int) (err error) {
	if v.Version, err = nextVersion(v.Version, ifVersion); err != nil {
		return err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return errs.Wrap(err, errs.Internal, "stored-matter", "A matter cannot be stored.")
	}
	flag := map[bool]int64{true: 1}
	args := []any{v.Tenant, v.ID, v.Version, v.Patient, flag[v.Open], flag[v.Warned], micros(v.Due), string(body)}
	if ifVersion == 0 {
		created, err := p.add(ctx, "tenant, id", `INSERT INTO matter (`+matterColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, args...)
		if err == nil && !created {
			err = errExists("matter")
		}
		return err
	}
	ok, err := p.won(ctx, `UPDATE matter SET version = $3, patient = $4, open = $5, warned = $6, due = $7, body = $8
		WHERE tenant = $1 AND id = $2 AND version = $9`, append(args, ifVersion)...)
	if err == nil && !ok {
		err = errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
	}
	return err
}
