package app

import (
	"context"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// held reports whether a RelatedPerson was in its relation to the patient at a time.
func (a *App) held(ctx context.Context, tenant, patient string, who fhir.Reference, at time.Time) (known, held bool, err error) {
	rp, err := a.store.RelatedPersonByID(ctx, tenant, who.ID)
	if errs.Is(err, errs.NotFound) {
		return false, false, nil
	}
	return err == nil, rp.Patient == patient && rp.Period.Contains(at), err
}
