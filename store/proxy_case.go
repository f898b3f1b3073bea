package store

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/proxy"
)

const caseColumns = `tenant, id, version, patient, person_id, state, secret, due, body, updated`

func casePlace(v proxy.Case) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "proxy_case", Column: "body", Row: v.ID, Subject: v.Patient}
}

// cases reads rows and opens them afterwards: the sealer may need the
// connection for a key.
func (p *ports) cases(ctx context.Context, sql string, args ...any) ([]proxy.Case, error) {
	var bodies []string
	all, err := list(ctx, p, func(r Row) (v proxy.Case, err error) {
		var body string
		err = r.Scan(&v.Tenant, &v.ID, &v.Version, &v.Patient, &v.PersonID, &v.State, &v.Secret, into(&v.Due), &body, into(&v.Updated))
		bodies = append(bodies, body)
		return v, err
	}, `SELECT `+caseColumns+` FROM proxy_case WHERE tenant = $1 AND `+sql, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := p.openDoc(ctx, casePlace(all[i]), bodies[i], &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (p *ports) oneCase(ctx context.Context, sql string, args ...any) (proxy.Case, error) {
	all, err := p.cases(ctx, sql, args...)
	if err == nil && len(all) == 0 {
		err = notFound("proxy-case")
	}
	if err != nil {
		return proxy.Case{}, err
	}
	return all[0], nil
}

// CaseByID implements proxy.Cases.
func (p *ports) CaseByID(ctx context.Context, tenant, id string) (proxy.Case, error) {
	return p.oneCase(ctx, `id = $2`, tenant, id)
}

// CaseBySecret implements proxy.Cases.
func (p *ports) CaseBySecret(ctx context.Context, tenant, hash string) (proxy.Case, error) {
	return p.oneCase(ctx, `secret <> '' AND secret = $2`, tenant, hash)
}

// CasesOfPatient implements proxy.Cases.
func (p *ports) CasesOfPatient(ctx context.Context, tenant, patient string) ([]proxy.Case, error) {
	return p.cases(ctx, `patient = $2 ORDER BY updated DESC, id`, tenant, patient)
}

// CasesOfPerson implements proxy.Cases.
func (p *ports) CasesOfPerson(ctx context.Context, tenant, person string) ([]proxy.Case, error) {
	return p.cases(ctx, `person_id <> '' AND person_id = $2 ORDER BY updated DESC, id`, tenant, person)
}

// CasesIn implements proxy.Cases.
func (p *ports) CasesIn(ctx context.Context, tenant string, state proxy.State, limit int) ([]proxy.Case, error) {
	return p.cases(ctx, `state = $2 ORDER BY updated, id LIMIT $3`, tenant, string(state), limit)
}

// CasesAfter implements proxy.Cases.
func (p *ports) CasesAfter(ctx context.Context, tenant string, state proxy.State, after string, limit int) ([]proxy.Case, error) {
	return p.cases(ctx, `state = $2 AND id > $3 ORDER BY id LIMIT $4`, tenant, string(state), after, limit)
}

// CasesDue implements proxy.Cases.
func (p *ports) CasesDue(ctx context.Context, tenant string, now time.Time, limit int) ([]proxy.Case, error) {
	return p.cases(ctx, `due <> 0 AND due <= $2 ORDER BY due, id LIMIT $3`, tenant, micros(now), limit)
}

// PutCase implements proxy.Cases.
func (p *ports) PutCase(ctx context.Context, v proxy.Case, ifVersion int) (err error) {
	if v.Version, err = nextVersion(v.Version, ifVersion); err != nil {
		return err
	}
	body, err := p.sealDoc(ctx, casePlace(v), v)
	if err != nil {
		return err
	}
	args := []any{v.Tenant, v.ID, v.Version, v.Patient, v.PersonID, string(v.State), v.Secret, micros(v.Due), body, micros(v.Updated)}
	if ifVersion == 0 {
		created, err := p.add(ctx, "tenant, id", `INSERT INTO proxy_case (`+caseColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, args...)
		if err == nil && !created {
			err = errExists("proxy-case")
		}
		return err
	}
	ok, err := p.won(ctx, `UPDATE proxy_case SET version = $3, patient = $4, person_id = $5, state = $6, secret = $7,
		due = $8, body = $9, updated = $10 WHERE tenant = $1 AND id = $2 AND version = $11`, append(args, ifVersion)...)
	if err == nil && !ok {
		err = errs.New(errs.PreconditionFailed, "version-changed", "The stored version is another one by now.")
	}
	return err
}
