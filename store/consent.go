package store

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
)

const consentColumns = `tenant, id, version, patient, status, kind, actors, json, updated`

// consentPlace names the bytes of one version: the same place in the main
// table and in the one of older versions, between which it moves.
func consentPlace(v consent.Record) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "consent", Column: "json",
		Row: v.ID + "/" + strconv.Itoa(v.Version), Subject: v.Patient}
}

func scanConsent(r Row) (v consent.Record, err error) {
	err = r.Scan(&v.Tenant, &v.ID, &v.Version, &v.Patient, &v.Status, &v.Kind, doc(&v.Actors), &v.JSON, into(&v.Updated))
	return v, err
}

func (p *ports) openConsent(ctx context.Context, v *consent.Record) (err error) {
	packed, err := p.open(ctx, consentPlace(*v), v.JSON)
	if err != nil {
		return err
	}
	v.JSON, err = p.packer.unpack(packed)
	return err
}

func (p *ports) consents(ctx context.Context, sql string, args ...any) ([]consent.Record, error) {
	all, err := list(ctx, p, scanConsent, sql, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := p.openConsent(ctx, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// ConsentByID implements consent.Store.
func (p *ports) ConsentByID(ctx context.Context, tenant, id string) (consent.Record, error) {
	v, err := one(ctx, p, "consent", scanConsent,
		`SELECT `+consentColumns+` FROM consent WHERE tenant = $1 AND id = $2`, tenant, id)
	if errs.Is(err, errs.NotFound) {
		return p.approval(ctx, tenant, id)
	}
	if err != nil {
		return consent.Record{}, err
	}
	return v, p.openConsent(ctx, &v)
}

// ConsentVersion implements consent.Store.
func (p *ports) ConsentVersion(ctx context.Context, tenant, id string, version int) (consent.Record, error) {
	v, err := one(ctx, p, "consent", scanConsent,
		`SELECT `+consentColumns+` FROM consent WHERE tenant = $1 AND id = $2 AND version = $3
		UNION ALL SELECT `+consentColumns+` FROM consent_version WHERE tenant = $1 AND id = $2 AND version = $3`,
		tenant, id, version)
	if errs.Is(err, errs.NotFound) && version == 1 {
		return p.approval(ctx, tenant, id)
	}
	if err != nil {
		return consent.Record{}, err
	}
	return v, p.openConsent(ctx, &v)
}

// ConsentHistory implements consent.Store.
func (p *ports) ConsentHistory(ctx context.Context, tenant, id string) ([]consent.Record, error) {
	all, err := p.consents(ctx, `SELECT `+consentColumns+` FROM consent WHERE tenant = $1 AND id = $2
		UNION ALL SELECT `+consentColumns+` FROM consent_version WHERE tenant = $1 AND id = $2
		ORDER BY version DESC`, tenant, id)
	if err == nil && len(all) == 0 {
		first, err := p.approval(ctx, tenant, id)
		if err != nil {
			return nil, err
		}
		return []consent.Record{first}, nil
	}
	return all, err
}

// ConsentsOfPatient implements consent.Store. Those in the rows of grants are
// read first: one that is moved meanwhile is then met twice, and never missed.
func (p *ports) ConsentsOfPatient(ctx context.Context, tenant, patient string) ([]consent.Record, error) {
	approved, err := p.approvals(ctx, `tenant = $1 AND patient <> '' AND patient = $2`, tenant, patient)
	if err != nil {
		return nil, err
	}
	all, err := p.consents(ctx, `SELECT `+consentColumns+` FROM consent
		WHERE tenant = $1 AND patient = $2 ORDER BY id`, tenant, patient)
	return withApprovals(all, approved), err
}

// ConsentsOfActor implements consent.Store.
func (p *ports) ConsentsOfActor(ctx context.Context, tenant string, actor fhir.Reference) ([]consent.Record, error) {
	approved, err := p.approvalsOf(ctx, tenant, actor)
	if err != nil {
		return nil, err
	}
	all, err := p.consents(ctx, `SELECT `+consentColumns+` FROM consent
		WHERE tenant = $1 AND id IN (SELECT consent_id FROM consent_actor WHERE tenant = $1 AND actor = $2)
		ORDER BY id`, tenant, actor.String())
	return withApprovals(all, approved), err
}

// consentRow gives the values of a row.
func (p *ports) consentRow(ctx context.Context, v consent.Record) ([]any, error) {
	mark := packedMark
	if v.Kind == consent.KindAppApproval && p.newest.Load() {
		mark = approvalMark
	}
	packed, err := p.packer.pack(mark, v.JSON)
	if err != nil {
		return nil, err
	}
	sealed, err := p.seal(ctx, consentPlace(v), packed)
	return []any{v.Tenant, v.ID, v.Version, v.Patient, v.Status, string(v.Kind), doc(v.Actors), sealed, micros(v.Updated)}, err
}

// PutConsent implements consent.Store.
func (p *ports) PutConsent(ctx context.Context, v consent.Record, ifVersion int) (err error) {
	if v.Version, err = nextVersion(v.Version, ifVersion); err != nil {
		return err
	}
	args, err := p.consentRow(ctx, v)
	if err != nil {
		return err
	}
	return p.atomic(ctx, func(p *ports) error {
		before, err := p.putConsentRow(ctx, v, ifVersion, args)
		if err != nil {
			return err
		}
		if err := p.putActors(ctx, v); err != nil {
			return err
		}
		if ifVersion == 0 && v.Status == "active" && v.Kind == consent.KindAppApproval {
			// Only its withdrawal decides anything (SC-20), and this is part of
			// each new grant: what was decided before stays as it is.
			return nil
		}
		if ifVersion > 0 || v.Status != "active" || v.Kind == consent.KindProhibition {
			err := p.noteRevoked(ctx, journal.Entry{
				Tenant: v.Tenant, Kind: journal.Consent, Subject: v.ID, Version: v.Version, Patient: v.Patient,
				Status: v.Status, Class: string(v.Kind),
			})
			if err != nil {
				return err
			}
		}
		return p.bumpBoth(ctx, v.Tenant, v.Patient, before)
	})
}

// putConsentRow writes the newest version and gives the patient of the one
// before it, "" when there was none.
func (p *ports) putConsentRow(ctx context.Context, v consent.Record, ifVersion int, args []any) (string, error) {
	if ifVersion == 0 {
		if _, err := p.approval(ctx, v.Tenant, v.ID); !errs.Is(err, errs.NotFound) {
			return "", cmp.Or(err, errExists("consent"))
		}
		created, err := p.add(ctx, "tenant, id", `INSERT INTO consent (`+consentColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, args...)
		if err == nil && !created {
			return "", errExists("consent")
		}
		return "", err
	}
	if ifVersion == 1 {
		if err := p.moveApproval(ctx, v.Tenant, v.ID); err != nil {
			return "", err
		}
	}
	before, err := p.retire(ctx, "consent", consentColumns, v.Tenant, v.ID, ifVersion)
	if err != nil {
		return "", err
	}
	if err := p.dropActors(ctx, v); err != nil {
		return "", err
	}
	return before, p.write(ctx, `UPDATE consent SET version = $3, patient = $4, status = $5, kind = $6, actors = $7,
		json = $8, updated = $9 WHERE tenant = $1 AND id = $2`, args...)
}

// dropActors forgets who were actors of the version that is still the newest.
func (p *ports) dropActors(ctx context.Context, v consent.Record) error {
	actors, err := one(ctx, p, "consent", func(r Row) (all []fhir.Reference, err error) {
		err = r.Scan(doc(&all))
		return all, err
	}, `SELECT actors FROM consent WHERE tenant = $1 AND id = $2`, v.Tenant, v.ID)
	if err != nil {
		return err
	}
	for _, actor := range actors {
		err := p.write(ctx, `DELETE FROM consent_actor WHERE tenant = $1 AND actor = $2 AND consent_id = $3`, v.Tenant, actor.String(), v.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *ports) putActors(ctx context.Context, v consent.Record) error {
	for i, actor := range v.Actors {
		if slices.Contains(v.Actors[:i], actor) {
			continue
		}
		_, err := p.add(ctx, "tenant, actor, consent_id", `INSERT INTO consent_actor (tenant, actor, consent_id) VALUES ($1, $2, $3)`,
			v.Tenant, actor.String(), v.ID)
		if err != nil {
			return err
		}
	}
	return nil
}

// ConsentEpoch implements consent.Store.
func (p *ports) ConsentEpoch(ctx context.Context, tenant, patient string) (int64, error) {
	n, err := one(ctx, p, "epoch", scanInt,
		`SELECT epoch FROM consent_epoch WHERE tenant = $1 AND patient = $2`, tenant, patient)
	if errs.Is(err, errs.NotFound) {
		return 0, nil
	}
	return n, err
}
