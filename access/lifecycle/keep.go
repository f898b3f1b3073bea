package lifecycle

import (
	"context"
	"slices"

	"github.com/mandate-health/mandate/access/preview"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/compartment"
	"github.com/mandate-health/mandate/internal/errs"
)

// Keep keeps one entry of the actor's own record from everybody who helps, now
// and later: a prohibition that no grant beats (FX-12, FX-22, TF-17). What refers
// to the entry is kept with it. Keeping it twice changes nothing. Errors:
// errs.NotFound when the record has no such entry; errs.Upstream.
func (s *Service) Keep(ctx context.Context, a Actor, item fhir.Reference, rec preview.Record) error {
	patient := own(a.Person)
	if found, err := s.has(ctx, patient, item, rec); err != nil || !found {
		if err == nil {
			err = errs.New(errs.NotFound, "entry-not-found", "Your record has no such entry.")
		}
		return err
	}
	kept, err := s.kept(ctx, patient)
	if err != nil || len(kept[item]) > 0 {
		return err
	}
	return s.Tx.InTx(ctx, func(tx Tx) error {
		_, err := s.forbid(ctx, tx, consent.Forbidding{Patient: patient, Item: item}, a)
		return err
	})
}

// Unkeep undoes Keep. Errors: errs.Unavailable.
func (s *Service) Unkeep(ctx context.Context, a Actor, item fhir.Reference) error {
	kept, err := s.kept(ctx, own(a.Person))
	if err != nil {
		return err
	}
	return s.Tx.InTx(ctx, func(tx Tx) error {
		for _, id := range kept[item] {
			if err := s.withdraw(ctx, tx, id, a); err != nil {
				return err
			}
		}
		return nil
	})
}

// has reports whether the entry stands in the patient's record, of a kind that
// can be kept.
func (s *Service) has(ctx context.Context, patient string, item fhir.Reference, rec preview.Record) (bool, error) {
	known := slices.ContainsFunc(consent.DataKinds(), func(k consent.DataKind) bool { return slices.Contains(k.Types, item.Type) })
	if _, ok := compartment.SearchByPatient(item.Type); patient == "" || !known || !ok {
		return false, nil
	}
	found := false
	err := preview.List(ctx, rec, s.ownInput(self(patient)), []string{item.Type}, func(_ []byte, r *fhir.Resource) error {
		found = found || r.ID == item.ID
		return nil
	})
	return found, err
}

// kept gives the Consents by which a patient keeps entries.
func (s *Service) kept(ctx context.Context, patient string) (map[fhir.Reference][]string, error) {
	out := map[fhir.Reference][]string{}
	if patient == "" {
		return out, nil
	}
	records, err := s.Consents.Search(ctx, consent.Filter{Tenant: s.Tenant, Patient: patient, Kinds: []consent.Kind{consent.KindProhibition}})
	for _, r := range records {
		if item := consent.KeptItem(r); !item.IsZero() {
			out[item] = append(out[item], r.ID)
		}
	}
	return out, err
}
