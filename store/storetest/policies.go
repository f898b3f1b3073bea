package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/txn"
	"github.com/mandate-health/mandate/store"
)

// The store that BenchPolicies fills: 100,000 Consents of 10,000 patients, a
// tenth of whom have fifty-five and the others five.
const (
	benchPatients = 10_000
	benchConsents = 100_000
)

// BenchPolicies measures how long a decision about a proxy takes whose patient's
// policy is not in memory: the epoch, the Consents, reading and compiling them, and
// the decision. It reports the median and the 95th percentile of load and decision
// together, and of the decision alone, in microseconds. Consents of as many
// patients lie beside; with -benchtime=1000x it takes a minute or two to fill.
func BenchPolicies(b *testing.B, s *store.Store) {
	fillPolicies(b, s)
	ctx := b.Context()
	var cold, warm []time.Duration
	n := 0
	b.ResetTimer()
	for b.Loop() {
		// One patient is kept: each next one is cold.
		service := consent.NewService(consent.Deps{
			Store: s, Tx: txn.Func[consent.FilingTx](nil), Clock: clock.Fixed(noon()), CachedPatients: 1,
		})
		patient := fmt.Sprintf("p%d", n*7919%benchPatients)
		n++
		q := consent.Question{
			Patient: patient, Actors: []fhir.Reference{{Type: "RelatedPerson", ID: "rosa-elena"}}, Purpose: "FAMRQT", At: benchAt,
			Resource: fhir.Resource{Type: "MedicationRequest", ID: "x", Labels: []fhir.Coding{{System: fhir.SystemConfidentiality, Code: "N"}}},
		}
		for _, took := range []*[]time.Duration{&cold, &warm} {
			began := b.Elapsed()
			p, err := service.PolicyFor(ctx, tenant, patient)
			if err != nil {
				b.Fatal(err)
			}
			if r := consent.Evaluate(p, q); !r.Permit {
				b.Fatal(r)
			}
			*took = append(*took, b.Elapsed()-began)
		}
	}
	for name, took := range map[string][]time.Duration{"cold": cold, "warm": warm} {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), name+"-p50-us")
		b.ReportMetric(float64(took[len(took)*95/100].Microseconds()), name+"-p95-us")
	}
}

// benchAt is when the published example is in force.
var benchAt = time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)

// fillPolicies stores the Consents: the published example under new names.
func fillPolicies(b *testing.B, s *store.Store) {
	b.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "consent", "testdata", "e1-daughter-meds-appts.json"))
	if err != nil {
		b.Fatal(err)
	}
	var batch []consent.Record
	flush := func() {
		err := s.InTx(b.Context(), func(tx store.Tx) error {
			for _, r := range batch {
				if err := tx.PutConsent(b.Context(), r, 0); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		batch = batch[:0]
	}
	for i := range benchConsents {
		patient := i % benchPatients
		if i >= benchConsents/2 {
			patient = i % (benchPatients / 10) * 10
		}
		text := strings.ReplaceAll(string(raw), "Patient/rosa", fmt.Sprintf("Patient/p%d", patient))
		r, err := consent.NewRecord([]byte(text), consent.Stamp{Tenant: tenant, ID: fmt.Sprintf("c%d", i), Version: 1, At: noon()})
		if err != nil {
			b.Fatal(err)
		}
		if batch = append(batch, r); len(batch) == 500 {
			flush()
		}
	}
	flush()
}
