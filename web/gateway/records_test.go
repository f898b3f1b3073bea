package gateway_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/evidence"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/codec"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/proxy"
)

// records keeps Mandate's own resources in memory.
type records struct {
	consents  map[string][]consent.Record
	relations map[string][]proxy.RelatedPerson
	events    []audit.Event
	service   *consent.Service
}

func newRecords(t testing.TB) *records {
	t.Helper()
	validator, err := codec.New()
	if err != nil {
		t.Fatal(err)
	}
	r := &records{consents: map[string][]consent.Record{}, relations: map[string][]proxy.RelatedPerson{}}
	r.service = consent.NewService(consent.Deps{
		Store: r, Validator: validator, Clock: clock.Fixed(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)), IDs: ids.Source{},
		Tx: txn.Func[consent.FilingTx](func(_ context.Context, fn func(consent.FilingTx) error) error { return fn(r) }),
	})
	return r
}

func (r *records) File(ctx context.Context, f consent.Filing) (consent.Record, error) {
	return r.service.File(ctx, f)
}

func (r *records) AppendAudit(_ context.Context, e audit.Event) error {
	r.events = append(r.events, e)
	return nil
}

var errNone = errs.New(errs.NotFound, "consent-not-found", "There is no such consent.")

func (r *records) ConsentByID(_ context.Context, _, id string) (consent.Record, error) {
	all := r.consents[id]
	if len(all) == 0 {
		return consent.Record{}, errNone
	}
	return all[len(all)-1], nil
}

func (r *records) ConsentVersion(_ context.Context, _, id string, version int) (consent.Record, error) {
	all := r.consents[id]
	if version > len(all) {
		return consent.Record{}, errNone
	}
	return all[version-1], nil
}

func (r *records) ConsentHistory(_ context.Context, _, id string) ([]consent.Record, error) {
	all := slices.Clone(r.consents[id])
	slices.Reverse(all)
	return all, nil
}

func (r *records) newest(keep func(consent.Record) bool) []consent.Record {
	var out []consent.Record
	for _, all := range r.consents {
		if last := all[len(all)-1]; keep(last) {
			out = append(out, last)
		}
	}
	slices.SortFunc(out, func(a, b consent.Record) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}

func (r *records) ConsentsOfPatient(_ context.Context, _, patient string) ([]consent.Record, error) {
	return r.newest(func(c consent.Record) bool { return c.Patient == patient }), nil
}

func (r *records) ConsentsOfActor(_ context.Context, _ string, actor fhir.Reference) ([]consent.Record, error) {
	return r.newest(func(c consent.Record) bool { return slices.Contains(c.Actors, actor) }), nil
}

func (r *records) PutConsent(_ context.Context, rec consent.Record, ifVersion int) error {
	if len(r.consents[rec.ID]) != ifVersion {
		return errs.New(errs.PreconditionFailed, "consent-version", "changed")
	}
	r.consents[rec.ID] = append(r.consents[rec.ID], rec)
	return nil
}

func (r *records) PutEvidence(context.Context, evidence.Record, int) error { return nil }

func (r *records) ActiveGrants(context.Context, string, string, int) ([]consent.Record, error) {
	return nil, nil
}

func (r *records) PolicyCampaign(context.Context, string, string) (consent.Campaign, error) {
	return consent.Campaign{}, errNone
}

func (r *records) PutPolicyCampaign(context.Context, consent.Campaign) error { return nil }

func (r *records) ConsentEpoch(context.Context, string, string) (int64, error) { return 1, nil }

func (r *records) RelatedPersonByID(_ context.Context, _, id string) (proxy.RelatedPerson, error) {
	all := r.relations[id]
	if len(all) == 0 {
		return proxy.RelatedPerson{}, errNone
	}
	return all[len(all)-1], nil
}

func (r *records) RelatedPersonVersion(_ context.Context, _, id string, version int) (proxy.RelatedPerson, error) {
	all := r.relations[id]
	if version > len(all) {
		return proxy.RelatedPerson{}, errNone
	}
	return all[version-1], nil
}

func (r *records) RelatedPersonsOfPatient(_ context.Context, _, patient string) ([]proxy.RelatedPerson, error) {
	var out []proxy.RelatedPerson
	for _, all := range r.relations {
		if last := all[len(all)-1]; last.Patient == patient {
			out = append(out, last)
		}
	}
	return out, nil
}

// relate files a RelatedPerson of Rosa.
func (r *records) relate(t testing.TB, id, name string) {
	t.Helper()
	raw := []byte(`{"resourceType":"RelatedPerson","id":"` + id + `","active":true,"patient":{"reference":"Patient/rosa"},"name":[{"family":"` + name + `"}]}`)
	rp, err := proxy.Parse(raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	rp.Version, rp.JSON = 1, raw
	r.relations[id] = []proxy.RelatedPerson{rp}
}

// consent files a Consent for Rosa.
func (r *records) consent(t testing.TB, text string) {
	t.Helper()
	if _, err := r.File(context.Background(), consent.Filing{Tenant: "default", ID: "e1-daughter-meds-appts", Raw: []byte(text)}); err != nil {
		t.Fatal(err)
	}
}
