package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
)

func factorSecret(v identity.Factor) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "factor", Column: "secret", Row: v.ID}
}

func factorName(v identity.Factor) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "factor", Column: "name", Row: v.ID}
}

const factorColumns = `tenant, id, person_id, kind, secret, counter, created, name, used, backed_up, locked`

// factors reads factors, oldest first.
func (p *ports) factors(ctx context.Context, where string, args ...any) ([]identity.Factor, error) {
	type row struct {
		identity.Factor
		name []byte
	}
	rows, err := list(ctx, p, func(r Row) (v row, err error) {
		err = r.Scan(&v.Tenant, &v.ID, &v.PersonID, &v.Kind, &v.Secret, &v.Counter, into(&v.Created),
			&v.name, into(&v.Used), &v.BackedUp, &v.Locked)
		return v, err
	}, `SELECT `+factorColumns+` FROM factor WHERE tenant = $1 AND `+where+` ORDER BY created, id`, args...)
	var out []identity.Factor
	for _, v := range rows {
		if err != nil {
			break
		}
		if v.Secret, err = p.open(ctx, factorSecret(v.Factor), v.Secret); err == nil && len(v.name) > 0 {
			var name []byte
			name, err = p.open(ctx, factorName(v.Factor), v.name)
			v.Name = string(name)
		}
		out = append(out, v.Factor)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Factors implements identity.Store.
func (p *ports) Factors(ctx context.Context, tenant, personID string) ([]identity.Factor, error) {
	return p.factors(ctx, `person_id = $2`, tenant, personID)
}

// FactorByID implements identity.Authenticators.
func (p *ports) FactorByID(ctx context.Context, tenant, id string) (identity.Factor, error) {
	all, err := p.factors(ctx, `id = $2`, tenant, id)
	if err == nil && len(all) == 0 {
		err = notFound("factor")
	}
	if err != nil {
		return identity.Factor{}, err
	}
	return all[0], nil
}

// factorArgs are the values of factorColumns.
func (p *ports) factorArgs(ctx context.Context, v identity.Factor) ([]any, error) {
	secret, err := p.seal(ctx, factorSecret(v), v.Secret)
	if err != nil {
		return nil, err
	}
	name, err := p.sealedName(ctx, v)
	return []any{v.Tenant, v.ID, v.PersonID, string(v.Kind), secret, v.Counter, micros(v.Created),
		name, micros(v.Used), v.BackedUp, v.Locked}, err
}

// sealedName gives the stored form of a name; none stays empty.
func (p *ports) sealedName(ctx context.Context, v identity.Factor) ([]byte, error) {
	if v.Name == "" {
		return []byte{}, nil
	}
	return p.seal(ctx, factorName(v), []byte(v.Name))
}

const insertFactor = `INSERT INTO factor (` + factorColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

// PutFactor implements identity.Store.
func (p *ports) PutFactor(ctx context.Context, v identity.Factor) error {
	args, err := p.factorArgs(ctx, v)
	if err != nil {
		return err
	}
	return p.atomic(ctx, func(p *ports) error {
		created, err := p.won(ctx, insertFactor+` ON CONFLICT (tenant, id) DO NOTHING`, args...)
		if err != nil || created {
			return err
		}
		// The value before must not come back with a backup.
		err = p.noteRevoked(ctx, journal.Entry{Tenant: v.Tenant, Kind: journal.Factor, Subject: v.ID})
		if err != nil {
			return err
		}
		return p.write(ctx, `UPDATE factor SET person_id = $3, kind = $4, secret = $5, counter = $6, created = $7,
			name = $8, used = $9, backed_up = $10, locked = $11 WHERE tenant = $1 AND id = $2`, args...)
	})
}

// AddFactor implements identity.Authenticators.
func (p *ports) AddFactor(ctx context.Context, v identity.Factor) error {
	args, err := p.factorArgs(ctx, v)
	if err != nil {
		return err
	}
	added, err := p.won(ctx, insertFactor+` ON CONFLICT (tenant, id) DO NOTHING`, args...)
	if err == nil && !added {
		err = errs.New(errs.Conflict, "factor-exists", "This authenticator is enrolled already.")
	}
	return err
}

// NoteFactor implements identity.Authenticators.
func (p *ports) NoteFactor(ctx context.Context, v identity.Factor) error {
	name, err := p.sealedName(ctx, v)
	if err != nil {
		return err
	}
	return p.write(ctx, `UPDATE factor SET name = $3, used = $4, backed_up = $5,
		locked = CASE WHEN locked <> '' THEN locked ELSE $6 END WHERE tenant = $1 AND id = $2`,
		v.Tenant, v.ID, name, micros(v.Used), v.BackedUp, v.Locked)
}

// RemoveFactor implements identity.Authenticators. A backup must not bring it back.
func (p *ports) RemoveFactor(ctx context.Context, tenant, id string) (bool, error) {
	return p.revoking(ctx, journal.Entry{Tenant: tenant, Kind: journal.Factor, Subject: id}, func(p *ports) (bool, error) {
		return p.won(ctx, `DELETE FROM factor WHERE tenant = $1 AND id = $2`, tenant, id)
	})
}

// AdvanceFactor implements identity.Store.
func (p *ports) AdvanceFactor(ctx context.Context, tenant, factorID string, counter int64) (bool, error) {
	return p.won(ctx, `UPDATE factor SET counter = $3 WHERE tenant = $1 AND id = $2 AND counter < $3`,
		tenant, factorID, counter)
}

// SpendChallenge implements identity.Authenticators.
func (p *ports) SpendChallenge(ctx context.Context, tenant, hash string, expires time.Time) (bool, error) {
	return p.won(ctx, `INSERT INTO spent_challenge (tenant, hash, expires) VALUES ($1, $2, $3)
		ON CONFLICT (tenant, hash) DO NOTHING`, tenant, hash, micros(expires))
}
