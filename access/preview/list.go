package preview

import (
	"context"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/view"
)

// List calls each with every resource of the types, of the input's patient, that
// the grant opens. Errors: errs.Upstream, those of each.
func List(ctx context.Context, rec Record, in access.Input, types []string, each func(raw []byte, r *fhir.Resource) error) error {
	in.Request = nil
	for _, typ := range types {
		params, ok := aboutPatient(typ, in.Grant.Capacity.Patient)
		if !ok {
			continue
		}
		err := rec.Search(ctx, typ, params, func(raw []byte) error {
			r, err := view.Scan(raw)
			if err != nil || r.Type != typ || !visible(in, &r) {
				// What cannot be read is never released.
				return nil
			}
			return each(raw, &r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
