package access_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

// resource draws what an upstream may hold.
func resource() *rapid.Generator[fhir.Resource] {
	return rapid.Custom(func(t *rapid.T) fhir.Resource {
		r := fhir.Resource{
			Type:           rapid.SampledFrom([]string{"Observation", "Condition", "Patient", "Practitioner", "MedicationRequest", "Binary", "RelatedPerson"}).Draw(t, "type"),
			ID:             rapid.SampledFrom([]string{"rosa", "rosa-elena", "x"}).Draw(t, "id"),
			Subjects:       rapid.SampledFrom([][]string{nil, {"rosa"}, {"ines"}, {"rosa", "ines"}}).Draw(t, "subjects"),
			ForeignSubject: rapid.IntRange(0, 9).Draw(t, "foreign") == 0,
		}
		if rapid.Bool().Draw(t, "category") {
			r.Tokens = map[string][]fhir.Coding{"category": {{System: obsCategory, Code: rapid.SampledFrom([]string{"laboratory", "vital-signs"}).Draw(t, "code")}}}
		}
		for _, code := range rapid.SliceOfN(rapid.SampledFrom([]string{"N", "R", "V", "HIV", "ETH", "PSYTHPN", "NOPAT", "42CFRPart2", "XYZZY"}), 0, 3).Draw(t, "labels") {
			r = labelled(r, code)
		}
		return r
	})
}

var operations = []scope.Ops{scope.Create, scope.Read, scope.Update, scope.Delete, scope.Search}

// drawn gives the standing of anybody on some resource.
func drawn(t *rapid.T) access.Input {
	req, err := scope.Parse(scopes().Draw(t, "scopes"), scope.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	c := rapid.SampledFrom([]fhir.Capacity{selfRosa, elena, chen, backend}).Draw(t, "capacity")
	res := resource().Draw(t, "resource")
	return access.Input{
		Grant: access.GrantView{Capacity: c, Patient: c.Patient, Scopes: req.Clinical, OpenID: req.OpenID && req.FHIRUser,
			Topics: rapid.SliceOf(rapid.SampledFrom([]string{"HIV", "SUD", "MH", "R"})).Draw(t, "topics")},
		ProxyInForce: true, Resource: &res, Op: rapid.SampledFrom(operations).Draw(t, "op"), Now: now,
	}
}

// More scopes never take access away, fewer topics never give any, and a hold
// never opens anything.
func TestDecisionsAreMonotonous(t *testing.T) {
	e1 := consentE1(t)
	rapid.Check(t, func(rt *rapid.T) {
		in := drawn(rt)
		in.Policy = e1
		before := access.Decide(in)
		more := in
		extra, err := scope.Parse(scopes().Draw(rt, "extra"), scope.Limits{})
		if err != nil {
			rt.Fatal(err)
		}
		more.Grant.Scopes = append(slices.Clone(in.Grant.Scopes), extra.Clinical...)
		if before.Allow && !access.Decide(more).Allow {
			rt.Fatalf("%v took away what %v gave", extra.Clinical, in.Grant.Scopes)
		}
		fewer := in
		fewer.Grant.Topics = nil
		if !before.Allow && access.Decide(fewer).Allow {
			rt.Fatal("fewer topics gave access")
		}
		for name, stop := range map[string]func(*access.Input){
			"hold": func(in *access.Input) { in.SafetyHold = true }, "relation": func(in *access.Input) { in.ProxyInForce = false },
			"end": func(in *access.Input) { in.Grant.Ends = now },
		} {
			held := in
			stop(&held)
			if !before.Allow && access.Decide(held).Allow {
				rt.Fatalf("%s gave access", name)
			}
		}
	})
}

// Whoever is bound to Rosa never gets, nor writes, what is about anybody else
// (SMART CMP-10, TRP-09, TRP-25).
func TestNobodyElsesRecord(t *testing.T) {
	e1 := consentE1(t)
	rapid.Check(t, func(rt *rapid.T) {
		in := drawn(rt)
		in.Policy = e1
		if in.Grant.Capacity.Patient != "rosa" || !access.Decide(in).Allow {
			return
		}
		own := in.Grant.OpenID && in.Op == scope.Read && (fhir.Reference{Type: in.Resource.Type, ID: in.Resource.ID}) == in.Grant.Capacity.Acting
		about := in.Resource.Type != "Practitioner"
		if about && !own && (in.Resource.ForeignSubject || !slices.Equal(in.Resource.Subjects, []string{"rosa"})) {
			rt.Fatalf("%+v left", in.Resource)
		}
		if !about && in.Op&(scope.Read|scope.Search) == 0 {
			rt.Fatalf("%+v was written", in.Resource)
		}
	})
}

func BenchmarkDecideResource(b *testing.B) {
	in := input(b, selfRosa, "patient/Observation.rs?category="+obsCategory+"|vital-signs patient/Patient.rs patient/Condition.rs patient/Observation.rs?category="+obsCategory+"|laboratory")
	res := labelled(observation("rosa", "laboratory"), "N")
	in.Resource, in.Op = &res, scope.Read
	b.ReportAllocs()
	for b.Loop() {
		if !access.Decide(in).Allow {
			b.Fatal("refused")
		}
	}
}
