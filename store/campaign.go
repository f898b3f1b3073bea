package store

import (
	"context"

	"github.com/mandate-health/mandate/consent"
)

// ActiveGrants implements consent.Campaigns.
func (p *ports) ActiveGrants(ctx context.Context, tenant, after string, limit int) ([]consent.Record, error) {
	return p.consents(ctx, `SELECT `+consentColumns+` FROM consent
		WHERE tenant = $1 AND id > $2 AND kind = $3 AND status = 'active' ORDER BY id LIMIT $4`,
		tenant, after, string(consent.KindGrant), limit)
}

// PolicyCampaign implements consent.Campaigns.
func (p *ports) PolicyCampaign(ctx context.Context, tenant, uri string) (consent.Campaign, error) {
	return one(ctx, p, "policy-campaign", func(r Row) (v consent.Campaign, err error) {
		err = r.Scan(&v.Tenant, &v.URI, into(&v.Since), &v.After, &v.Checked, &v.Ended, &v.Done)
		return v, err
	}, `SELECT tenant, uri, since, after, checked, ended, done FROM consent_policy_withdrawn
		WHERE tenant = $1 AND uri = $2`, tenant, uri)
}

// PutPolicyCampaign implements consent.Campaigns.
func (p *ports) PutPolicyCampaign(ctx context.Context, v consent.Campaign) error {
	return p.write(ctx, `INSERT INTO consent_policy_withdrawn (tenant, uri, since, after, checked, ended, done)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, uri) DO UPDATE
		SET after = excluded.after, checked = excluded.checked, ended = excluded.ended, done = excluded.done`,
		v.Tenant, v.URI, micros(v.Since), v.After, v.Checked, v.Ended, v.Done)
}
