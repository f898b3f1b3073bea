package identity

import (
	"context"

	"github.com/mandate-health/mandate/audit"
)

// RefuseUpstream records that what a browser brought from a provider does not count;
// reason is a word of the protocol's room. Nobody is known by it. Errors:
// errs.Unavailable.
func (s *Service) RefuseUpstream(ctx context.Context, tenant, provider, reason string, m Meta) error {
	e := s.event(audit.LoginFailed, try{tenant: tenant, meta: m}, "", s.now())
	e.Detail = map[string]string{"amr": methodVouched, "idp": provider}
	e.Outcome, e.Reason = audit.MinorFailure, reason
	return s.d.Tx.InTx(ctx, func(tx Tx) error { return tx.AppendAudit(ctx, e) })
}
