package store

import (
	"context"

	"github.com/mandate-health/mandate/identity/operator"
	"github.com/mandate-health/mandate/internal/journal"
)

// Operators implements operator.Store.
func (p *ports) Operators(ctx context.Context, tenant string) ([]operator.Assignment, error) {
	return list(ctx, p, func(r Row) (v operator.Assignment, err error) {
		err = r.Scan(&v.Tenant, &v.PersonID, &v.Role, into(&v.Assigned), &v.By)
		return v, err
	}, `SELECT tenant, person_id, role, assigned, assigned_by FROM operator_role
		WHERE tenant = $1 ORDER BY person_id, role`, tenant)
}

// AssignOperator implements operator.Store.
func (p *ports) AssignOperator(ctx context.Context, v operator.Assignment) (bool, error) {
	return p.won(ctx, `INSERT INTO operator_role (tenant, person_id, slot, role, assigned, assigned_by)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, person_id, slot) DO NOTHING`,
		v.Tenant, v.PersonID, v.Role.Slot(), string(v.Role), micros(v.Assigned), v.By)
}

// RevokeOperator implements operator.Store.
func (p *ports) RevokeOperator(ctx context.Context, tenant, personID string, role operator.Role) error {
	e := journal.Entry{Tenant: tenant, Kind: journal.Operator, Subject: personID, Class: string(role)}
	won, err := p.revoking(ctx, e, func(p *ports) (bool, error) {
		return p.won(ctx, `DELETE FROM operator_role WHERE tenant = $1 AND person_id = $2 AND slot = $3 AND role = $4`,
			tenant, personID, role.Slot(), string(role))
	})
	if err == nil && !won {
		return notFound("operator-role")
	}
	return err
}

// OSUsers implements operator.Store.
func (p *ports) OSUsers(ctx context.Context, tenant string) ([]operator.Binding, error) {
	return list(ctx, p, func(r Row) (v operator.Binding, err error) {
		err = r.Scan(&v.Tenant, &v.PersonID, &v.OSUser, into(&v.Bound), &v.By)
		return v, err
	}, `SELECT tenant, person_id, os_user, bound, bound_by FROM operator_os_user
		WHERE tenant = $1 ORDER BY person_id`, tenant)
}

// BindOSUser implements operator.Store.
func (p *ports) BindOSUser(ctx context.Context, v operator.Binding) (bool, error) {
	if err := p.UnbindOSUser(ctx, v.Tenant, v.PersonID); err != nil {
		return false, err
	}
	return p.won(ctx, `INSERT INTO operator_os_user (tenant, person_id, os_user, bound, bound_by)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		v.Tenant, v.PersonID, v.OSUser, micros(v.Bound), v.By)
}

// UnbindOSUser implements operator.Store.
func (p *ports) UnbindOSUser(ctx context.Context, tenant, personID string) error {
	_, err := p.exec(ctx, `DELETE FROM operator_os_user WHERE tenant = $1 AND person_id = $2`, tenant, personID)
	return err
}
