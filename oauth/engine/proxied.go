package engine

import (
	"context"

	"github.com/mandate-health/mandate/oauth"
)

// tell sets what the one who introspects may know of a proxy's access: one with
// the right to it, of another client's token, all that it needs to enforce the
// Consents by itself; anybody else what the app may know (SC-13, TR-21).
func (e *Engine) tell(ctx context.Context, u *unit, d oauth.Redecision, caller oauth.Client) (err error) {
	u.decision, u.decided = e.IDs.ID(), u.grant.DecidedBy(d)
	if !caller.Introspect || !caller.IntrospectConsents || caller.ID == u.given() || caller.ID == u.grant.ClientID {
		u.told = u.grant.Told(d, u.decision, u.site.FHIRBase, u.expires)
		return nil
	}
	u.told = u.grant.Disclosed(d, u.decision, u.site.FHIRBase)
	if e.Residual != nil {
		if u.told.PCF.Residual, err = e.Residual(ctx, u.grant); err != nil {
			return err
		}
		for _, rule := range u.told.PCF.Residual {
			for i := range rule.Data {
				rule.Data[i].Reference.Reference = u.site.FHIRBase + "/" + rule.Data[i].Reference.Reference
			}
		}
	}
	if e.Name != nil {
		u.told.IUA.SubjectName, err = e.Name(ctx, u.grant.Tenant, u.grant.PersonID)
	}
	return err
}

// given is the client in whose hands the token that is introspected is.
func (u *unit) given() string {
	if u.access != nil {
		return u.access.ClientID
	}
	return u.refresh.ClientID
}
