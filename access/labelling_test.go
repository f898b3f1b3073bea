package access_test

import (
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

// quarrels recognises one code of family conflict, twice: as a set that
// classifies wholly and as one that does not.
func quarrels(whole bool) *access.Labelling {
	return access.NewLabelling("test-1", []access.LabelSet{{
		Name: "family-conflict", Codes: []fhir.Coding{{System: "urn:x", Code: "quarrel"}}, Whole: whole,
		Labels: []fhir.Coding{{System: fhir.SystemConfidentiality, Code: "N"}},
	}, {
		Name: "hurt", Codes: []fhir.Coding{{System: "urn:x", Code: "hurt"}}, Whole: whole,
		Labels: []fhir.Coding{{System: fhir.SystemConfidentiality, Code: "R"}, {System: fhir.SystemActCode, Code: "PSY"}},
	}})
}

func coded(typ, code string) fhir.Resource {
	return fhir.Resource{Type: typ, ID: "x", Subjects: []string{"rosa"}, Tokens: map[string][]fhir.Coding{"code": {{System: "urn:x", Code: code}}}}
}

// SI-02: what the source did not label is judged by the labels of the value
// sets, and the decision names the set.
func TestUnlabelledIsClassified(t *testing.T) {
	in := input(t, selfRosa, "patient/MedicationRequest.rs")
	in.Labelling = quarrels(false)
	note := coded("MedicationRequest", "hurt")
	in.Resource, in.Op = &note, scope.Read
	d := access.Decide(in)
	if d.Allow || !d.Hidden || d.Reasons[0].Rule != "label" || d.Reasons[1] != (access.Reason{Rule: "label", Code: "classified", Subject: "hurt"}) {
		t.Errorf("%+v", d)
	}
	if topics := in.Topics(&note); len(topics) != 1 || topics[0] != access.TopicMentalHealth {
		t.Errorf("%v", topics)
	}
	in.Grant.Topics = []string{"MH"}
	if d := access.Decide(in); !d.Allow {
		t.Errorf("ticked: %+v", d)
	}
	in.Grant.Topics = nil
	plain := labelled(coded("MedicationRequest", "hurt"), "N")
	in.Resource = &plain
	if d := access.Decide(in); !d.Allow || len(plain.Labels) != 1 {
		t.Errorf("what the source labelled stays as it is: %+v", d)
	}
}

// LB-01, GW-23: for people who act for a patient, unlabelled means hidden; a
// value set opens nothing unless it says that it classifies wholly.
func TestUnlabelledIsHiddenFromProxies(t *testing.T) {
	for _, c := range []struct {
		sets *access.Labelling
		code string
		want bool
	}{
		{nil, "quarrel", false}, {quarrels(false), "other", false}, {quarrels(false), "quarrel", false},
		{quarrels(true), "quarrel", true}, {quarrels(true), "hurt", false}, {quarrels(true), "other", false},
	} {
		in := input(t, elena, "patient/MedicationRequest.rs")
		in.Policy, in.ProxyInForce, in.Labelling = consentE1(t), true, c.sets
		res := coded("MedicationRequest", c.code)
		in.Resource, in.Op = &res, scope.Read
		if d := access.Decide(in); d.Allow != c.want {
			t.Errorf("%s: %+v", c.code, d)
		}
	}
}

// LB-01: the label of what a resource contains does not classify the resource.
func TestAPartsLabelIsNotTheWholes(t *testing.T) {
	in := input(t, elena, "patient/MedicationRequest.rs")
	in.Policy, in.ProxyInForce = consentE1(t), true
	res := coded("MedicationRequest", "other")
	res.Contained = []fhir.Resource{labelled(fhir.Resource{Type: "Medication"}, "N")}
	in.Resource, in.Op = &res, scope.Read
	if d := access.Decide(in); d.Allow {
		t.Errorf("%+v", d)
	}
	whole := labelled(res, "N")
	in.Resource = &whole
	if d := access.Decide(in); !d.Allow {
		t.Errorf("%+v", d)
	}
}

// GW-24, SMART TRP-13: what a resource contains about another patient would
// leave with it.
func TestContainedAboutAnother(t *testing.T) {
	in := input(t, selfRosa, "patient/Observation.rs")
	for other, want := range map[string]bool{"ines": false, "rosa": true} {
		res := observation("rosa", "laboratory")
		res.Contained = []fhir.Resource{{Type: "List", Contained: []fhir.Resource{{Type: "Observation", Subjects: []string{other}}}}, {Type: "Medication"}}
		in.Resource, in.Op = &res, scope.Read
		if d := access.Decide(in); d.Allow != want {
			t.Errorf("%s: %+v", other, d)
		}
	}
}
