package store

import (
	"context"
	"strconv"

	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

const evidenceColumns = `tenant, id, version, type, patient, person, focus, status, json, updated`

// evidencePlace names the bytes of one version: the same place in the main table
// and in the one of older versions, between which it moves.
func evidencePlace(v evidence.Record) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "evidence", Column: "json", Row: v.ID + "/" + strconv.Itoa(v.Version), Subject: v.Patient}
}

func scanEvidence(r Row) (v evidence.Record, err error) {
	err = r.Scan(&v.Tenant, &v.ID, &v.Version, &v.Type, &v.Patient, &v.Person, &v.Focus, &v.Status, &v.JSON, into(&v.Updated))
	return v, err
}

func (p *ports) evidence(ctx context.Context, sql string, args ...any) ([]evidence.Record, error) {
	all, err := list(ctx, p, scanEvidence, sql, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].JSON, err = p.open(ctx, evidencePlace(all[i]), all[i].JSON); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// EvidenceByID implements evidence.Reader.
func (p *ports) EvidenceByID(ctx context.Context, tenant, id string) (evidence.Record, error) {
	v, err := one(ctx, p, "record", scanEvidence, `SELECT `+evidenceColumns+` FROM evidence WHERE tenant = $1 AND id = $2`, tenant, id)
	if err == nil {
		v.JSON, err = p.open(ctx, evidencePlace(v), v.JSON)
	}
	return v, err
}

// EvidenceHistory implements evidence.Reader.
func (p *ports) EvidenceHistory(ctx context.Context, tenant, id string) ([]evidence.Record, error) {
	all, err := p.evidence(ctx, `SELECT `+evidenceColumns+` FROM evidence WHERE tenant = $1 AND id = $2
		UNION ALL SELECT `+evidenceColumns+` FROM evidence_version WHERE tenant = $1 AND id = $2
		ORDER BY version DESC`, tenant, id)
	if err == nil && len(all) == 0 {
		err = notFound("record")
	}
	return all, err
}

// EvidenceOf implements evidence.Reader.
func (p *ports) EvidenceOf(ctx context.Context, f evidence.Filter) ([]evidence.Record, error) {
	column, value := "focus", f.Focus
	switch {
	case f.Patient != "":
		column, value = "patient", f.Patient
	case f.Person != "":
		column, value = "person", f.Person
	case f.Focus == "":
		return nil, errs.New(errs.Invalid, "search-too-wide", "A search for records needs a patient, a person or what they are about.")
	}
	// What leads is in the index, and never many; the rest is compared.
	return p.evidence(ctx, `SELECT `+evidenceColumns+` FROM evidence WHERE tenant = $1 AND `+column+` = $2 AND `+column+` <> ''
		AND ($3 = '' OR type = $3) AND ($4 = '' OR person = $4) AND ($5 = '' OR focus = $5) ORDER BY updated, id`,
		f.Tenant, value, f.Type, f.Person, f.Focus)
}

// PutEvidence implements evidence.Keeper.
func (p *ports) PutEvidence(ctx context.Context, v evidence.Record, ifVersion int) (err error) {
	if v.Version, err = nextVersion(v.Version, ifVersion); err != nil {
		return err
	}
	sealed, err := p.seal(ctx, evidencePlace(v), v.JSON)
	if err != nil {
		return err
	}
	args := []any{v.Tenant, v.ID, v.Version, v.Type, v.Patient, v.Person, v.Focus, v.Status, sealed, micros(v.Updated)}
	return p.atomic(ctx, func(p *ports) error {
		if ifVersion == 0 {
			created, err := p.add(ctx, "tenant, id", `INSERT INTO evidence (`+evidenceColumns+`)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, args...)
			if err == nil && !created {
				err = errExists("record")
			}
			return err
		}
		if _, err := p.retire(ctx, "evidence", evidenceColumns, v.Tenant, v.ID, ifVersion); err != nil {
			return err
		}
		return p.write(ctx, `UPDATE evidence SET version = $3, type = $4, patient = $5, person = $6, focus = $7, status = $8,
			json = $9, updated = $10 WHERE tenant = $1 AND id = $2`, args...)
	})
}
