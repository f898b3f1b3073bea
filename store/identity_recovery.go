package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

const recoveryColumns = `tenant, id, version, hash, person_id, state, ends, body`

func recoveryPlace(v identity.Recovery) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "account_recovery", Column: "body", Row: v.ID}
}

// recoveries reads rows and opens them afterwards: the sealer may need the
// connection for a key.
func (p *ports) recoveries(ctx context.Context, sql string, args ...any) ([]identity.Recovery, error) {
	var bodies []string
	all, err := list(ctx, p, func(r Row) (v identity.Recovery, err error) {
		var body string
		err = r.Scan(&v.Tenant, &v.ID, &v.Version, &v.Hash, &v.PersonID, &v.State, into(&v.Ends), &body)
		bodies = append(bodies, body)
		return v, err
	}, `SELECT `+recoveryColumns+` FROM account_recovery WHERE tenant = $1 AND `+sql, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := p.openDoc(ctx, recoveryPlace(all[i]), bodies[i], &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (p *ports) oneRecovery(ctx context.Context, sql string, args ...any) (identity.Recovery, error) {
	all, err := p.recoveries(ctx, sql, args...)
	if err == nil && len(all) == 0 {
		err = notFound("recovery")
	}
	if err != nil {
		return identity.Recovery{}, err
	}
	return all[0], nil
}

// RecoveryByHash implements identity.Recoveries.
func (p *ports) RecoveryByHash(ctx context.Context, tenant, hash string) (identity.Recovery, error) {
	return p.oneRecovery(ctx, `hash = $2`, tenant, hash)
}

// RecoveryByID implements identity.Recoveries.
func (p *ports) RecoveryByID(ctx context.Context, tenant, id string) (identity.Recovery, error) {
	return p.oneRecovery(ctx, `id = $2`, tenant, id)
}

// RecoveriesOpen implements identity.Recoveries.
func (p *ports) RecoveriesOpen(ctx context.Context, tenant string, now time.Time, limit int) ([]identity.Recovery, error) {
	return p.recoveries(ctx, `state IN ('proving', 'waiting') AND ends > $2 ORDER BY ends, id LIMIT $3`, tenant, micros(now), limit)
}

// PutRecovery implements identity.Recoveries.
func (p *ports) PutRecovery(ctx context.Context, v identity.Recovery, ifVersion int) (err error) {
	if v.Version, err = nextVersion(v.Version, ifVersion); err != nil {
		return err
	}
	body, err := p.sealDoc(ctx, recoveryPlace(v), v)
	if err != nil {
		return err
	}
	args := []any{v.Tenant, v.ID, v.Version, v.Hash, v.PersonID, string(v.State), micros(v.Ends), body}
	if ifVersion == 0 {
		created, err := p.add(ctx, "tenant, id", `INSERT INTO account_recovery (`+recoveryColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, args...)
		if err == nil && !created {
			err = errExists("recovery")
		}
		return err
	}
	ok, err := p.won(ctx, `UPDATE account_recovery SET version = $3, hash = $4, person_id = $5, state = $6, ends = $7, body = $8
		WHERE tenant = $1 AND id = $2 AND version = $9`, append(args, ifVersion)...)
	if err == nil && !ok {
		err = errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
	}
	return err
}
