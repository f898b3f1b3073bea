package consent

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// RestoreTx puts a withdrawn Consent in force again as a new version, in a
// transaction of the caller: what was withdrawn in error (LC-24). Errors:
// errs.NotFound, errs.Conflict when it is not withdrawn, errs.Unprocessable when
// it would grant nothing any more or its policy was withdrawn meanwhile (LC-26).
func (s *Service) RestoreTx(ctx context.Context, tx FilingTx, tenant, id string, origin audit.Event) (Record, error) {
	last, err := tx.ConsentByID(ctx, tenant, id)
	if err != nil {
		return Record{}, err
	}
	if last.Status != "inactive" {
		return Record{}, errs.New(errs.Conflict, "consent-not-withdrawn", "The Consent is not withdrawn.")
	}
	next, err := s.again(last, "active")
	if err != nil {
		return Record{}, err
	}
	c, err := Parse(next.JSON)
	if err != nil {
		return Record{}, err
	}
	if err := acceptable(&c, s.deps.Options); err != nil {
		return Record{}, err
	}
	if err := underWithdrawn(ctx, tx, tenant, next.JSON); err != nil {
		return Record{}, err
	}
	return next, s.keep(ctx, tx, next, origin, audit.ConsentFiled, Witness{})
}

// VoidTx marks a Consent as entered in error as a new version, in a transaction of
// the caller; history stays. Errors: errs.NotFound.
func (s *Service) VoidTx(ctx context.Context, tx Tx, tenant, id string, origin audit.Event) (Record, error) {
	last, err := tx.ConsentByID(ctx, tenant, id)
	if err != nil || last.Status == "entered-in-error" {
		return last, err
	}
	next, err := s.again(last, "entered-in-error")
	if err != nil {
		return Record{}, err
	}
	return next, s.keep(ctx, tx, next, origin, audit.ConsentWithdrawn, Witness{})
}

func (s *Service) again(last Record, status string) (Record, error) {
	return NewRecord(last.JSON, Stamp{Tenant: last.Tenant, ID: last.ID, Version: last.Version + 1, At: s.deps.Clock.Now().Truncate(time.Microsecond), Status: status})
}
