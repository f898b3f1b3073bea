package store

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/watch"
	"github.com/mandate-health/mandate/oauth"
)

const grantColumns = `tenant, id, person_id, client_id, capacity, context, scopes, topics, consent_id, consent_version,
	consents, offline, online, session_hash, auth_time, amr, acr, created, ends, renew_for, revoked, reason, packed`

// sealedGrant is a grant as it is stored; context may be sealed.
type sealedGrant struct {
	oauth.Grant
	context string
	renew   int64
	packed  []byte
}

// into gives the places of grantColumns; read puts together what they then hold.
func (v *sealedGrant) into() []any {
	return []any{&v.Tenant, &v.ID, &v.PersonID, &v.ClientID, doc(&v.Capacity), &v.context, &v.Scopes,
		doc(&v.Topics), &v.ConsentID, &v.ConsentVersion, doc(&v.Consents), &v.Offline, &v.Online, &v.SessionHash,
		into(&v.AuthTime), doc(&v.AMR), &v.ACR, into(&v.Created), into(&v.Ends), &v.renew, into(&v.Revoked), &v.Reason, &v.packed}
}

func (v *sealedGrant) read() (err error) {
	v.RenewFor = time.Duration(v.renew) * time.Microsecond
	if len(v.packed) > 0 {
		v.context, err = unpackGrant(&v.Grant, v.packed, v.context)
		v.packed = nil
	}
	return err
}

// scanGrant reads a grant behind other columns.
func scanGrant(r Row, head ...any) (v sealedGrant, err error) {
	if err := r.Scan(append(head, v.into()...)...); err != nil {
		return v, err
	}
	return v, v.read()
}

// sealContext gives the stored form of a launch context. Ids alone stay
// readable, as everywhere; items of fhirContext may hold identifiers such as
// record numbers and are sealed.
func (p *ports) sealContext(ctx context.Context, v oauth.Grant) (string, error) {
	if len(v.Context.FHIRContext) == 0 && v.Context.AppContext == "" {
		return doc(v.Context).text()
	}
	return p.sealDoc(ctx, grantContext(v), v.Context)
}

// openContext reads it into the grant.
func (p *ports) openContext(ctx context.Context, v *oauth.Grant, stored string) error {
	if patient, ok := strings.CutPrefix(stored, patientOnly); ok {
		v.Context = oauth.Context{Patient: patient}
		return nil
	}
	if !strings.HasPrefix(stored, sealedMark) {
		return doc(&v.Context).Scan(stored)
	}
	return p.openDoc(ctx, grantContext(*v), stored, &v.Context)
}

func grantContext(v oauth.Grant) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "app_grant", Column: "context", Row: v.ID}
}

// CreateGrant implements oauth.GrantStore.
func (p *ports) CreateGrant(ctx context.Context, v oauth.Grant) error {
	return p.createGrant(ctx, v, []byte{})
}

// createGrant stores a grant with its code and its approval, empty for one without
// or with a row of its own.
func (p *ports) createGrant(ctx context.Context, v oauth.Grant, approval []byte) error {
	if v.Code == nil || v.Code.Named {
		return p.insertGrant(ctx, v, approval)
	}
	return p.atomic(ctx, func(p *ports) error {
		if err := p.insertGrant(ctx, v, approval); err != nil {
			return err
		}
		return p.CreateCode(ctx, *v.Code)
	})
}

// insertGrant adds the row of a grant. What nothing is looked up by is packed, or in columns as long
// as a node runs that reads only those. A carried request that was refused has a
// row, any other answer to it is the grant of its id.
func (p *ports) insertGrant(ctx context.Context, v oauth.Grant, approval []byte) error {
	launched, err := p.sealContext(ctx, v)
	if err != nil {
		return err
	}
	record, packed, capacity := v.Record(), []byte{}, any(doc(v.Capacity))
	if p.newest.Load() {
		if packed, launched, err = packGrant(v, launched); err != nil {
			return err
		}
		capacity, v.Scopes, v.Topics, v.Consents, v.AMR, v.ACR = "", "", nil, nil, nil, ""
	}
	code, err := packCode(v.Code)
	if err != nil {
		return err
	}
	fresh, err := p.addUnless(ctx, "tenant, id", `INSERT INTO app_grant (`+grantColumns+`, patient, approval, code)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26
		WHERE NOT EXISTS (SELECT 1 FROM pending WHERE tenant = $1 AND id = $2 AND done <> 0)`,
		v.Tenant, v.ID, v.PersonID, v.ClientID, capacity, launched, v.Scopes, doc(v.Topics),
		v.ConsentID, v.ConsentVersion, doc(v.Consents), v.Offline, v.Online, v.SessionHash, micros(v.AuthTime),
		doc(v.AMR), v.ACR, micros(v.Created), micros(v.Ends), v.RenewFor.Microseconds(), micros(v.Revoked), v.Reason, packed,
		record, approval, code)
	if err == nil && !fresh {
		return p.note(errs.New(errs.Conflict, "grant-exists", "There is a grant of this id, or its request was answered."))
	}
	return err
}

// GrantByID implements oauth.GrantStore.
func (p *ports) GrantByID(ctx context.Context, tenant, id string) (oauth.Grant, error) {
	v, err := one(ctx, p, "grant", func(r Row) (sealedGrant, error) { return scanGrant(r) },
		`SELECT `+grantColumns+` FROM app_grant WHERE tenant = $1 AND id = $2`, tenant, id)
	if err != nil {
		return oauth.Grant{}, err
	}
	return v.Grant, p.openContext(ctx, &v.Grant, v.context)
}

func (p *ports) grants(ctx context.Context, sql string, args ...any) ([]oauth.Grant, error) {
	rows, err := list(ctx, p, func(r Row) (sealedGrant, error) { return scanGrant(r) }, sql, args...)
	if err != nil {
		return nil, err
	}
	var all []oauth.Grant
	for _, v := range rows {
		if err := p.openContext(ctx, &v.Grant, v.context); err != nil {
			return nil, err
		}
		all = append(all, v.Grant)
	}
	return all, nil
}

// GrantsOfPerson implements oauth.GrantStore.
func (p *ports) GrantsOfPerson(ctx context.Context, tenant, personID string) ([]oauth.Grant, error) {
	return p.grants(ctx, `SELECT `+grantColumns+` FROM app_grant
		WHERE tenant = $1 AND person_id <> '' AND person_id = $2 ORDER BY created DESC, id`, tenant, personID)
}

// GrantsOfPatient implements oauth.GrantStore.
func (p *ports) GrantsOfPatient(ctx context.Context, tenant, patient string) ([]oauth.Grant, error) {
	return p.grants(ctx, `SELECT `+grantColumns+` FROM app_grant
		WHERE tenant = $1 AND patient <> '' AND patient = $2 ORDER BY created DESC, id`, tenant, patient)
}

// GrantsOfClient implements oauth.GrantStore.
func (p *ports) GrantsOfClient(ctx context.Context, tenant, clientID string, page oauth.GrantPage) ([]oauth.Grant, error) {
	before, live := int64(math.MaxInt64), int64(math.MinInt64)
	if !page.Before.IsZero() {
		before = micros(page.Before)
	}
	revoked := int64(math.MaxInt64)
	if !page.LiveAt.IsZero() {
		live, revoked = micros(page.LiveAt), 0
	}
	return p.grants(ctx, `SELECT `+grantColumns+` FROM app_grant
		WHERE tenant = $1 AND client_id = $2 AND (created < $3 OR created = $3 AND id < $4) AND ends > $5 AND revoked <= $6
		ORDER BY created DESC, id DESC LIMIT $7`, tenant, clientID, before, page.BeforeID, live, revoked, page.Limit)
}

// ExtendGrant implements oauth.GrantStore. A grant that is absent or was
// revoked meanwhile is refused with errs.NotFound, so that the refresh under
// way rolls back.
func (p *ports) ExtendGrant(ctx context.Context, tenant, id string, ends time.Time) error {
	var ok bool
	err := p.atomic(ctx, func(p *ports) (err error) {
		p.changedHere(watch.Change{Tenant: tenant, Kind: watch.Grant, Key: id})
		ok, err = p.won(ctx, `UPDATE app_grant SET ends = $3 WHERE tenant = $1 AND id = $2 AND revoked = 0`,
			tenant, id, micros(ends))
		return err
	})
	if err == nil && !ok {
		return errs.New(errs.NotFound, "grant-not-live", "There is no such grant, or it was revoked.")
	}
	return err
}

// RevokeGrant implements oauth.GrantStore.
func (p *ports) RevokeGrant(ctx context.Context, tenant, id, reason string, t time.Time) (bool, error) {
	e := journal.Entry{Tenant: tenant, Kind: journal.Grant, Subject: id}
	return p.revoking(ctx, e, func(p *ports) (bool, error) {
		return p.alter(ctx, watch.Change{Tenant: tenant, Kind: watch.Grant, Key: id}, `UPDATE app_grant SET revoked = $3, reason = $4 WHERE tenant = $1 AND id = $2 AND revoked = 0`,
			tenant, id, micros(t), reason)
	})
}
