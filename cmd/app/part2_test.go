package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/kit"
)

const (
	noticeText   = "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
	noticeHeader = "Redisclosure-Notice"
)

// TF-12, P2-02, P2-08, P2-14: the notice of 42 CFR 2.32 and an explanation of the
// consent come with each answer that carries records of a substance use programme to
// somebody who has them by the patient's written consent, and with no other answer:
// those from whom they are hidden, and the patient, never see it.
func TestPart2RecordsCarryTheirNotice(t *testing.T) {
	s := start(t, nil)
	const asked = "launch/patient openid fhirUser patient/MedicationRequest.rs patient/Condition.rs patient/Patient.rs"
	of := func(who string) *kit.Grant {
		return s.granted(t, kit.Launch{Client: s.Client("public"), Scope: asked, Visit: kit.Visit{Browser: s.browser(who), Patient: "Rosa Alvarez"}})
	}
	ines := of("ines")
	found := s.fhir(t, ines.Access(), "MedicationRequest?patient=rosa")
	var bundle struct {
		Entry []struct {
			Search   struct{ Mode string }
			Resource struct {
				ResourceType, ID string
				Issue            []struct {
					Details     struct{ Text string }
					Diagnostics string
				}
			}
		}
		Total int
	}
	if err := json.Unmarshal(found.Body, &bundle); err != nil {
		t.Fatal(err)
	}
	last := bundle.Entry[len(bundle.Entry)-1]
	if last.Search.Mode != "outcome" || last.Resource.Issue[0].Details.Text != noticeText ||
		!strings.Contains(last.Resource.Issue[0].Diagnostics, "written consent Consent/e6-part2-sister/_history/") ||
		!strings.Contains(last.Resource.Issue[0].Diagnostics, "which holds until 20") {
		t.Errorf("the last entry: %+v", last)
	}
	if bundle.Total != len(bundle.Entry)-1 || found.Header.Get(noticeHeader) != noticeText {
		t.Errorf("total %d of %d entries, header %q", bundle.Total, len(bundle.Entry), found.Header.Get(noticeHeader))
	}
	one := s.fhir(t, ines.Access(), "MedicationRequest/"+bundle.Entry[0].Resource.ID)
	if one.Status != http.StatusOK || one.Header.Get(noticeHeader) != noticeText || !strings.Contains(one.Header.Get("Redisclosure-Consent"), "e6-part2-sister") {
		t.Errorf("a read: %d %v", one.Status, one.Header)
	}
	hidden := "MedicationRequest/" + bundle.Entry[0].Resource.ID
	for _, path := range []string{"MedicationRequest?patient=rosa&_id=nothing", "MedicationRequest/nothing", "metadata"} {
		if res := s.fhir(t, ines.Access(), path); res.Header.Get(noticeHeader) != "" || strings.Contains(string(res.Body), "42 CFR") {
			t.Errorf("%s tells of Part 2: %s", path, res.Body)
		}
	}
	for _, who := range []string{"tomas", "elena", "rosa"} {
		g := of(who)
		for _, path := range []string{"MedicationRequest?patient=rosa", hidden} {
			res := s.fhir(t, g.Access(), path)
			if res.Header.Get(noticeHeader) != "" || strings.Contains(string(res.Body), "42 CFR") || res.Header.Get("Redisclosure-Consent") != "" {
				t.Errorf("%s, %s: tells of Part 2", who, path)
			}
			if path == hidden && res.Status != http.StatusNotFound && who != "rosa" {
				t.Errorf("%s reads %s: %d", who, path, res.Status)
			}
		}
	}
}
