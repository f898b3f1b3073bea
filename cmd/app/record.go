package app

import (
	"context"
	"net/url"
	"strings"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir/upstream"
	"github.com/mandate-health/mandate/store"
)

// record is a patient's record as apps see it: the upstream's, with the types
// that Mandate owns taken from its own store (D14), so that the numbers on the
// consent page are those that the gateway delivers.
type record struct {
	*upstream.Recent
	tenant   string
	store    *store.Store
	consents *consent.Service
}

// Search calls each with every match of a search on one type.
func (r record) Search(ctx context.Context, typ string, params url.Values, each func(raw []byte) error) error {
	patient := strings.TrimPrefix(params.Get("patient"), "Patient/")
	switch typ {
	case "RelatedPerson":
		list, err := r.store.RelatedPersonsOfPatient(ctx, r.tenant, patient)
		if err != nil {
			return err
		}
		for _, rp := range list {
			if err := each(rp.JSON); err != nil {
				return err
			}
		}
		return nil
	case "Consent":
		list, err := r.consents.Search(ctx, consent.Filter{Tenant: r.tenant, Patient: patient})
		if err != nil {
			return err
		}
		for _, c := range list {
			if err := each(c.JSON); err != nil {
				return err
			}
		}
		return nil
	default:
		return r.Recent.Search(ctx, typ, params, each)
	}
}
