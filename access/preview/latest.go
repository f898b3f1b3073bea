package preview

import (
	"context"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
)

// Latest gives the resource of a type that changed last among those of the
// input's patient that the grant opens, a zero reference when it opens none
// (SMART CTX-16). What is hidden from the grant is never named. Errors:
// errs.Upstream.
func Latest(ctx context.Context, rec Record, in access.Input, typ string) (fhir.Reference, error) {
	params, ok := aboutPatient(typ, in.Grant.Capacity.Patient)
	if !ok {
		return fhir.Reference{}, nil
	}
	in.Request = nil
	var latest fhir.Resource
	err := rec.Search(ctx, typ, params, func(raw []byte) error {
		r, err := view.Scan(raw)
		if err != nil || r.Type != typ || !visible(in, &r) {
			// What cannot be read is never released.
			return nil
		}
		if latest.ID == "" || r.LastUpdated.After(latest.LastUpdated) {
			latest = r
		}
		return nil
	})
	if err != nil || latest.ID == "" {
		return fhir.Reference{}, err
	}
	return fhir.Reference{Type: typ, ID: latest.ID}, nil
}
