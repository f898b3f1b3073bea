package consent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// TestAppApproval: what a person allowed an app is a valid Consent of its own
// kind, and never opens or closes anything for a person (D14, SC-20).
func TestAppApproval(t *testing.T) {
	s, _ := service(t)
	now := s.deps.Clock.Now()
	for name, a := range map[string]Approval{
		"patient": {ID: "ap1", Patient: "rosa", Performer: fhir.Reference{Type: "RelatedPerson", ID: "rosa-elena"},
			ClientID: "demo-app", ClientName: "Demo <app>", Organization: fhir.Reference{Type: "Organization", ID: "o"},
			Scopes: []string{"patient/MedicationRequest.rs"}, At: now, End: now.Add(24 * time.Hour)},
		"client_id that is a URL": {ID: "ap2", Patient: "rosa", Performer: fhir.Reference{Type: "Patient", ID: "rosa"},
			ClientID: "https://app.example/client", At: now},
		"clinician": {ID: "ap3", Performer: fhir.Reference{Type: "Practitioner", ID: "x"}, ClientID: "ehr-app", At: now},
	} {
		t.Run(name, func(t *testing.T) {
			written, err := a.Record(tenant)
			if err != nil {
				t.Fatal(err)
			}
			// What is read of it is what was told of it without reading.
			if read, err := NewRecord(written.JSON, Stamp{Tenant: tenant, ID: a.ID, Version: 1, At: a.At}); err != nil || !reflect.DeepEqual(read, written) {
				t.Fatalf("%v\n%+v\n%+v\n%s\n%s", err, written, read, written.JSON, read.JSON)
			}
			rec, err := s.File(context.Background(), Filing{Tenant: tenant, Raw: written.JSON, ID: a.ID})
			if err != nil {
				t.Fatalf("%v\n%s", err, written.JSON)
			}
			want := fhir.Reference{Type: "Device", ID: DeviceID(a.ClientID)}
			if rec.Kind != KindAppApproval || rec.Patient != a.Patient || !slices.Equal(rec.Actors, []fhir.Reference{want}) {
				t.Errorf("record %+v", rec)
			}
			c := mustParse(t, rec.JSON)
			if len(c.Faults) > 0 {
				t.Errorf("faults %v", c.Faults)
			}
			p := Compile("rosa", 1, []Consent{c}, Options{})
			if len(p.grants)+len(p.prohibitions) > 0 {
				t.Error("an app approval became an input of the algorithm")
			}
			next, err := Revoke(rec, now.Add(time.Hour))
			if err != nil || next.Status != "inactive" || next.Version != 2 || next.Kind != KindAppApproval ||
				strings.Contains(string(next.JSON), `"active"`) {
				t.Errorf("revoked %+v %v", next, err)
			}
		})
	}
	if _, err := (Approval{ID: "x", ClientID: "y"}).Record(tenant); !errs.Is(err, errs.Invalid) {
		t.Errorf("incomplete: %v", err)
	}
}

func TestDeviceID(t *testing.T) {
	if DeviceID("demo-app") != "demo-app" {
		t.Error("a FHIR id must stay")
	}
	a, b := DeviceID("https://a.example"), DeviceID("https://b.example")
	if a == b || !fhir.ValidID(a) || !fhir.ValidID(b) {
		t.Errorf("%s %s", a, b)
	}
}

// What a store keeps short is written out again years later: the bytes are the
// Consent, and may not change under the same form (store.approvedForm).
func TestApprovalsAreWrittenAsEver(t *testing.T) {
	at := time.Date(2026, 11, 22, 18, 5, 7, 123456000, time.UTC)
	rec, err := Approval{
		ID: "a1", Patient: "rosa", Performer: fhir.Reference{Type: "Patient", ID: "rosa"}, ClientID: "https://app.example",
		ClientName: "Demo \"app\" <é>", Organization: fhir.Reference{Type: "Organization", ID: "o"},
		Scopes: []string{"openid", "patient/Observation.rs?category=a|b"}, At: at, End: at.Add(time.Hour),
	}.Record(tenant)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(rec.JSON); hex.EncodeToString(sum[:8]) != "b1b31b29700babde" {
		t.Errorf("%x of other bytes: %s", sum[:8], rec.JSON)
	}
}
