package store

import (
	"context"
	"encoding/binary"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/oauth"
)

// approvedForm begins the sealed part of an approval in the row of its
// connection. What consent.Approval makes of the same values may never be
// written otherwise under this form: it is the Consent.
const approvedForm byte = 1

// CreateApproved implements oauth.GrantStore. The Consent is in the row of the
// grant, of which it has the id, until it changes.
func (p *ports) CreateApproved(ctx context.Context, v oauth.Grant, a consent.Approval) error {
	record, err := a.Record(v.Tenant)
	if err != nil {
		return err
	}
	if !p.newest.Load() || v.ConsentID != v.ID || !reflect.DeepEqual(a, approvalOf(v, a.ClientName, a.Organization, a.End)) {
		return p.atomic(ctx, func(p *ports) error {
			if err := p.CreateGrant(ctx, v); err != nil {
				return err
			}
			return p.PutConsent(ctx, record, 0)
		})
	}
	rest := shortenAll([]byte{approvedForm}, []string{a.ClientName, a.Organization.String()})
	end := int64(0)
	if !a.End.IsZero() {
		end = a.End.UnixMicro()
	}
	sealed, err := p.seal(ctx, approvalPlace(v), binary.AppendVarint(rest, end))
	if err != nil {
		return err
	}
	return p.createGrant(ctx, v, sealed)
}

// approvalOf gives the approval of a grant with what only its Consent tells.
func approvalOf(v oauth.Grant, name string, organization fhir.Reference, end time.Time) consent.Approval {
	return consent.Approval{
		ID: v.ID, Patient: v.Record(), Performer: v.Capacity.Acting, ClientID: v.ClientID, ClientName: name,
		Organization: organization, Scopes: strings.Fields(v.Scopes), At: v.Created, End: end,
	}
}

func approvalPlace(v oauth.Grant) keys.Place {
	return keys.Place{Tenant: v.Tenant, Table: "app_grant", Column: "approval", Row: v.ID, Subject: v.Record()}
}

// sealedApproval is a grant and what only its Consent tells.
type sealedApproval struct {
	sealedGrant
	approval []byte
}

// approvals gives the Consents that are in the rows of grants, in their first
// version, changed since or not.
func (p *ports) approvals(ctx context.Context, where string, args ...any) ([]consent.Record, error) {
	rows, err := list(ctx, p, func(r Row) (v sealedApproval, err error) {
		v.sealedGrant, err = scanGrant(r, &v.approval)
		return v, err
	}, `SELECT approval, `+grantColumns+` FROM app_grant WHERE LENGTH(approval) > 0 AND `+where, args...)
	if err != nil {
		return nil, err
	}
	out := make([]consent.Record, 0, len(rows))
	for _, v := range rows {
		record, err := p.openApproval(ctx, v)
		if err != nil {
			return nil, err
		}
		out = append(out, record)
	}
	return out, nil
}

func (p *ports) openApproval(ctx context.Context, v sealedApproval) (consent.Record, error) {
	if err := p.openContext(ctx, &v.Grant, v.context); err != nil {
		return consent.Record{}, err
	}
	plain, err := p.open(ctx, approvalPlace(v.Grant), v.approval)
	if err != nil {
		return consent.Record{}, err
	}
	r := shortReader{b: plain}
	form := r.take(1)
	texts, end := r.texts(), time.Time{}
	if at := r.signed(); at != 0 {
		end = fromMicros(at)
	}
	if r.err != nil || form[0] != approvedForm || len(texts) != 2 {
		return consent.Record{}, errShortForm
	}
	var organization fhir.Reference
	if err := (reference{&organization}).Scan(texts[1]); err != nil {
		return consent.Record{}, err
	}
	return approvalOf(v.Grant, texts[0], organization, end).Record(v.Tenant)
}

// approval gives the Consent in the row of a grant. Errors: errs.NotFound.
func (p *ports) approval(ctx context.Context, tenant, id string) (consent.Record, error) {
	found, err := p.approvals(ctx, `tenant = $1 AND id = $2`, tenant, id)
	if err == nil && len(found) == 0 {
		err = notFound("consent")
	}
	if err != nil {
		return consent.Record{}, err
	}
	return found[0], nil
}

// approvalsOf gives the Consents in the rows of the grants of an app, which is
// the actor. No index serves: it is asked by those who look at a whole tenant.
func (p *ports) approvalsOf(ctx context.Context, tenant string, actor fhir.Reference) (out []consent.Record, err error) {
	if actor.Type != "Device" {
		return nil, nil
	}
	clients := []string{actor.ID}
	all, err := p.Clients(ctx, tenant)
	for _, c := range all {
		if c.ID != actor.ID && consent.DeviceID(c.ID) == actor.ID {
			clients = append(clients, c.ID)
		}
	}
	for _, id := range clients {
		if err != nil {
			return nil, err
		}
		var found []consent.Record
		found, err = p.approvals(ctx, `tenant = $1 AND client_id = $2`, tenant, id)
		out = append(out, found...)
	}
	return out, err
}

// withApprovals adds to Consents those in the rows of grants that were read
// before, but for those that have changed since.
func withApprovals(changed, approved []consent.Record) []consent.Record {
	if len(approved) == 0 {
		return changed
	}
	have := make(map[string]bool, len(changed))
	for _, v := range changed {
		have[v.ID] = true
	}
	for _, v := range approved {
		if !have[v.ID] {
			changed = append(changed, v)
		}
	}
	slices.SortFunc(changed, func(a, b consent.Record) int { return strings.Compare(a.ID, b.ID) })
	return changed
}

// moveApproval gives a Consent that is in the row of a grant a row of its own,
// before it changes.
func (p *ports) moveApproval(ctx context.Context, tenant, id string) error {
	v, err := p.approval(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	args, err := p.consentRow(ctx, v)
	if err != nil {
		return err
	}
	err = p.write(ctx, `INSERT INTO consent (`+consentColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant, id) DO NOTHING`, args...)
	if err != nil {
		return err
	}
	for _, actor := range v.Actors {
		err := p.write(ctx, `INSERT INTO consent_actor (tenant, actor, consent_id) VALUES ($1, $2, $3)
			ON CONFLICT (tenant, actor, consent_id) DO NOTHING`, tenant, actor.String(), id)
		if err != nil {
			return err
		}
	}
	return nil
}

// approvalKeys names the Consents in the rows of grants that have not changed.
func (p *ports) approvalKeys(ctx context.Context) ([]ConsentKey, error) {
	return list(ctx, p, func(r Row) (v ConsentKey, err error) {
		err = r.Scan(&v.Tenant, &v.ID)
		return v, err
	}, `SELECT g.tenant, g.id FROM app_grant g WHERE LENGTH(g.approval) > 0
		AND NOT EXISTS (SELECT 1 FROM consent c WHERE c.tenant = g.tenant AND c.id = g.id) ORDER BY g.tenant, g.id`)
}
