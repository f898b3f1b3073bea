package store

import (
	"context"
	"strconv"

	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/proxy"
)

const relatedColumns = `tenant, id, version, patient, active, period_start, period_end, relationship, json, updated`

// relatedPlace names the bytes of one version: the same place in the main
// table and in the one of older versions, between which it moves.
func relatedPlace(v proxy.RelatedPerson) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "related_person", Column: "json",
		Row: v.ID + "/" + strconv.Itoa(v.Version), Subject: v.Patient}
}

func scanRelated(r Row) (v proxy.RelatedPerson, err error) {
	err = r.Scan(&v.Tenant, &v.ID, &v.Version, &v.Patient, &v.Active, into(&v.Period.Start), into(&v.Period.End),
		doc(&v.Relationship), &v.JSON, into(&v.Updated))
	return v, err
}

func (p *ports) openRelated(ctx context.Context, v *proxy.RelatedPerson) (err error) {
	v.JSON, err = p.open(ctx, relatedPlace(*v), v.JSON)
	return err
}

// RelatedPersonByID implements proxy.Store.
func (p *ports) RelatedPersonByID(ctx context.Context, tenant, id string) (proxy.RelatedPerson, error) {
	v, err := one(ctx, p, "related-person", scanRelated,
		`SELECT `+relatedColumns+` FROM related_person WHERE tenant = $1 AND id = $2`, tenant, id)
	if err != nil {
		return proxy.RelatedPerson{}, err
	}
	return v, p.openRelated(ctx, &v)
}

// RelatedPersonVersion implements proxy.Store.
func (p *ports) RelatedPersonVersion(ctx context.Context, tenant, id string, version int) (proxy.RelatedPerson, error) {
	v, err := one(ctx, p, "related-person", scanRelated,
		`SELECT `+relatedColumns+` FROM related_person WHERE tenant = $1 AND id = $2 AND version = $3
		UNION ALL SELECT `+relatedColumns+` FROM related_person_version WHERE tenant = $1 AND id = $2 AND version = $3`,
		tenant, id, version)
	if err != nil {
		return proxy.RelatedPerson{}, err
	}
	return v, p.openRelated(ctx, &v)
}

// RelatedPersonsOfPatient implements proxy.Store.
func (p *ports) RelatedPersonsOfPatient(ctx context.Context, tenant, patient string) ([]proxy.RelatedPerson, error) {
	all, err := list(ctx, p, scanRelated,
		`SELECT `+relatedColumns+` FROM related_person WHERE tenant = $1 AND patient = $2 ORDER BY id`, tenant, patient)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := p.openRelated(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// PutRelatedPerson implements proxy.Store.
func (p *ports) PutRelatedPerson(ctx context.Context, v proxy.RelatedPerson, ifVersion int) (err error) {
	if v.Version, err = nextVersion(v.Version, ifVersion); err != nil {
		return err
	}
	sealed, err := p.seal(ctx, relatedPlace(v), v.JSON)
	if err != nil {
		return err
	}
	args := []any{v.Tenant, v.ID, v.Version, v.Patient, v.Active, micros(v.Period.Start), micros(v.Period.End),
		doc(v.Relationship), sealed, micros(v.Updated)}
	return p.atomic(ctx, func(p *ports) error {
		if ifVersion == 0 {
			return p.createRelated(ctx, v, args)
		}
		before, err := p.retire(ctx, "related_person", relatedColumns, v.Tenant, v.ID, ifVersion)
		if err != nil {
			return err
		}
		err = p.noteRevoked(ctx, journal.Entry{Tenant: v.Tenant, Kind: journal.Relation, Subject: v.ID, Version: v.Version})
		if err != nil {
			return err
		}
		err = p.write(ctx, `UPDATE related_person SET version = $3, patient = $4, active = $5, period_start = $6,
			period_end = $7, relationship = $8, json = $9, updated = $10 WHERE tenant = $1 AND id = $2`, args...)
		if err != nil {
			return err
		}
		if err := p.bumpBoth(ctx, v.Tenant, v.Patient, before); err != nil {
			return err
		}
		return p.changed(ctx, watch.Change{Tenant: v.Tenant, Kind: watch.Relation, Key: v.ID})
	})
}

func (p *ports) createRelated(ctx context.Context, v proxy.RelatedPerson, args []any) error {
	created, err := p.won(ctx, `INSERT INTO related_person (`+relatedColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (tenant, id) DO NOTHING`, args...)
	if err != nil {
		return err
	}
	if !created {
		return errExists("related-person")
	}
	return p.bumpEpoch(ctx, v.Tenant, v.Patient)
}
