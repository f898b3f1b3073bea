package consent

import (
	"context"
	"slices"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// Campaign is the withdrawal of a policy or template, and how far it has come
// (LC-26). It stays when it is done: nothing is filed under its URI any more.
type Campaign struct {
	Tenant string
	// URI is the policy.uri that no longer counts.
	URI   string
	Since time.Time
	// After is the id of the last Consent that was looked at.
	After string
	// Checked counts the grants that were looked at, Ended those of them that
	// named the URI.
	Checked, Ended int
	Done           bool
}

// campaignStep is how many grants are looked at in one transaction.
const campaignStep = 100

// WithdrawPolicy withdraws a policy or template for a tenant: no grant is filed
// under its URI from then on, and every active grant that names it becomes
// inactive, as a new version with its audit event. What else lets the person in
// stays, so access narrows. It goes on where it was interrupted, and begins anew
// when it was done. progress is told after each step, unless it is nil. Errors:
// errs.Invalid for a URI that is none of a policy; errs.Unavailable.
func (s *Service) WithdrawPolicy(ctx context.Context, tenant, uri string, origin audit.Event, progress func(Campaign)) (Campaign, error) {
	prefixes := s.deps.Options.PolicyPrefixes
	if prefixes == nil {
		prefixes = DefaultPolicyPrefixes()
	}
	if !hasPrefix(uri, prefixes) || slices.Contains(prefixes, uri) {
		return Campaign{}, errs.New(errs.Invalid, "policy-unknown", "No grant can name this URI: it is under none of the policies that are known.")
	}
	var c Campaign
	err := s.deps.Tx.InTx(ctx, func(tx FilingTx) (err error) {
		c, err = tx.PolicyCampaign(ctx, tenant, uri)
		if err == nil && !c.Done {
			return nil
		}
		if err != nil && !errs.Is(err, errs.NotFound) {
			return err
		}
		if err != nil {
			c = Campaign{Tenant: tenant, URI: uri, Since: s.deps.Clock.Now().UTC()}
		}
		c.After, c.Checked, c.Ended, c.Done = "", 0, 0, false
		return tx.PutPolicyCampaign(ctx, c)
	})
	for err == nil && !c.Done {
		if err = ctx.Err(); err != nil {
			break
		}
		if c, err = s.campaignStep(ctx, c, origin); err == nil && progress != nil {
			progress(c)
		}
	}
	return c, err
}

// campaignStep looks at the next grants. A grant that changes meanwhile is looked
// at again.
func (s *Service) campaignStep(ctx context.Context, c Campaign, origin audit.Event) (Campaign, error) {
	next := c
	err := s.deps.Tx.InTx(ctx, func(tx FilingTx) error {
		next = c
		grants, err := tx.ActiveGrants(ctx, c.Tenant, c.After, campaignStep)
		if err != nil {
			return err
		}
		for _, g := range grants {
			next.After = g.ID
			next.Checked++
			ended, err := s.endUnder(ctx, tx, g, c.URI, origin)
			if err != nil {
				return err
			}
			if ended {
				next.Ended++
			}
		}
		next.Done = len(grants) < campaignStep
		return tx.PutPolicyCampaign(ctx, next)
	})
	if errs.Is(err, errs.PreconditionFailed) || errs.Is(err, errs.Conflict) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	return next, nil
}

// endUnder makes a grant inactive that names the URI.
func (s *Service) endUnder(ctx context.Context, tx FilingTx, g Record, uri string, origin audit.Event) (bool, error) {
	c, err := Parse(g.JSON)
	if err != nil || !slices.Contains(c.Policies, uri) {
		// What cannot be parsed is no grant.
		return false, nil
	}
	next, err := Revoke(g, s.deps.Clock.Now())
	if err != nil {
		return false, err
	}
	if err := tx.PutConsent(ctx, next, g.Version); err != nil {
		return false, err
	}
	if err := s.witness(ctx, tx, next, origin, audit.ConsentWithdrawn, Witness{}); err != nil {
		return false, err
	}
	e := event(origin, audit.ConsentWithdrawn, "U", next)
	e.Detail = map[string]string{"cause": "policy-withdrawn", "policy": uri}
	return true, tx.AppendAudit(ctx, e)
}

// underWithdrawn refuses an active grant that names a withdrawn policy.
func underWithdrawn(ctx context.Context, st Campaigns, tenant string, raw []byte) error {
	c, err := Parse(raw)
	if err != nil || c.Kind != KindGrant || c.Status != "active" {
		return nil //nolint:nilerr // what cannot be parsed was refused before, or is no grant
	}
	for _, uri := range c.Policies {
		_, err := st.PolicyCampaign(ctx, tenant, uri)
		if err == nil {
			return errs.New(errs.Unprocessable, "policy-withdrawn", "Consent.policy.uri names a policy or template that was withdrawn.")
		}
		if !errs.Is(err, errs.NotFound) {
			return err
		}
	}
	return nil
}
