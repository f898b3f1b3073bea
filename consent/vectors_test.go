package consent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// examples reads the published example Consents by id.
func examples(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/e*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = raw
	}
	return out
}

func mustParse(t testing.TB, raw []byte) Consent {
	t.Helper()
	c, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	c.Version = max(c.Version, 1)
	return c
}

// policyOf compiles the example Consents, changed by edit where given.
func policyOf(t testing.TB, patient string, extra ...string) *Policy {
	t.Helper()
	var all []Consent
	for _, raw := range examples(t) {
		all = append(all, mustParse(t, raw))
	}
	for _, raw := range extra {
		all = append(all, mustParse(t, []byte(raw)))
	}
	return Compile(patient, 1, all, Options{})
}

type vector struct {
	ID, Who, What, Patient string
	Actors                 []string
	Purpose, Function      string
	At                     time.Time
	SafetyHold             bool `json:"safety_hold"`
	Resource               struct {
		Type   string
		Cat    []string
		Labels []fhir.Coding
		Author string
	}
	Expect, Reason string
}

func (v vector) question(t testing.TB) Question {
	t.Helper()
	local := func(s string) fhir.Reference {
		r, ok := fhir.ParseReference(s)
		if !ok {
			t.Fatalf("bad reference %q", s)
		}
		return r
	}
	q := Question{
		Patient: local(v.Patient).ID, Purpose: v.Purpose, Function: v.Function, At: v.At, SafetyHold: v.SafetyHold,
		Resource: fhir.Resource{Type: v.Resource.Type, ID: "x", Labels: v.Resource.Labels},
	}
	for _, a := range v.Actors {
		q.Actors = append(q.Actors, local(a))
	}
	if v.Resource.Author != "" {
		q.Resource.Authors = []fhir.Reference{local(v.Resource.Author)}
	}
	if len(v.Resource.Cat) > 0 {
		q.Resource.Tokens = map[string][]fhir.Coding{}
		for _, c := range v.Resource.Cat {
			q.Resource.Tokens["category"] = append(q.Resource.Tokens["category"],
				fhir.Coding{System: systemObservationCat, Code: c})
		}
	}
	return q
}

func vectors(t testing.TB) []vector {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var out []vector
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestVectors runs the published decision vectors (A.9).
func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			q := v.question(t)
			got := Evaluate(policyOf(t, q.Patient), q)
			if got.Permit != (v.Expect == "PERMIT") || got.Reason != v.Reason {
				t.Errorf("%s, %s: got permit=%v %s, want %s %s", v.Who, v.What, got.Permit, got.Reason, v.Expect, v.Reason)
			}
			if got.Permit && (len(got.Consents) != 1 || got.Consents[0] != "Consent/"+v.Reason+"/_history/1") {
				t.Errorf("contributing consents: %v", got.Consents)
			}
		})
	}
}

const dissent = `{"resourceType":"Consent","id":"dissent-btg","status":"active",
 "scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
 "category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],
 "patient":{"reference":"Patient/rosa"},"dateTime":"2026-11-10T09:00:00-06:00",
 "performer":[{"reference":"Patient/rosa"}],
 "policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUTE"}]},
 "provision":{"type":"deny","provision":[{"type":"permit","purpose":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"BTG"}]}]}}`

// TestPatientWideDissent is T32: a general dissent shuts out a proxy with a
// grant, and its break-the-glass exception does not by itself permit.
func TestPatientWideDissent(t *testing.T) {
	p := policyOf(t, "rosa", dissent)
	var q Question
	for _, v := range vectors(t) {
		if v.ID == "T11" {
			q = v.question(t)
		}
	}
	t.Run("T32", func(t *testing.T) {
		if got := Evaluate(p, q); got.Permit || got.Reason != "PROHIBITED:dissent-btg" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("exception is no permit", func(t *testing.T) {
		q := q
		q.Purpose = "BTG"
		if got := Evaluate(p, q); got.Permit || got.Reason != ReasonNoGrant {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("clinician is bound and may break the glass", func(t *testing.T) {
		q := q
		q.Capacity, q.Actors, q.Purpose = fhir.CapacityPractitioner, []fhir.Reference{{Type: "Practitioner", ID: "p"}}, "TREAT"
		if got := Evaluate(p, q); got.Permit {
			t.Errorf("treatment: got %+v", got)
		}
		q.Purpose = "BTG"
		if got := Evaluate(p, q); !got.Permit || got.Reason != ReasonBase {
			t.Errorf("break the glass: got %+v", got)
		}
	})
}
