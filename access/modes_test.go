package access_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

func modes(t *testing.T, set map[string]string) access.Modes {
	t.Helper()
	m, err := access.ParseModes(set)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every fault is told at once, and what is always enforced stays so.
func TestParseModes(t *testing.T) {
	_, err := access.ParseModes(map[string]string{"grant": "off", "label": "maybe", "nonsense": "audit", "scope": "audit"})
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{"grant is always enforced", "label takes enforce, audit or off, not maybe", "no rule nonsense"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in %q", want, err)
		}
	}
	m := modes(t, map[string]string{"label": "audit", "rewrite": "off", "scope": "", "grant": "enforce"})
	if m.String() != "rewrite=off label=audit" || m.Of("scope") != access.Enforce || m.Of("nonsense") != access.Enforce {
		t.Errorf("%s", m)
	}
	if m == (access.Modes{}) || modes(t, nil) != (access.Modes{}) {
		t.Error("the zero value must enforce everything")
	}
	for _, rule := range access.Rules() {
		_, err := access.ParseModes(map[string]string{rule: "off"})
		if fixed := access.CareOf(rule) == access.Fixed; fixed != (err != nil) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

// A rule that is audited lets pass and says what it would have refused; one
// that is off says nothing; neither drops an obligation.
func TestModes(t *testing.T) {
	in := input(t, selfRosa, "patient/Observation.rs")
	hiv := labelled(observation("rosa", "laboratory"), "HIV")
	in.Resource, in.Op = &hiv, scope.Read
	if access.Decide(in).Allow {
		t.Fatal("the topic is not ticked")
	}
	in.Modes = modes(t, map[string]string{"label": "audit"})
	d := access.Decide(in)
	if !d.Allow || len(d.WouldDeny) != 1 || d.WouldDeny[0] != (access.Reason{Rule: "label", Code: "topic-not-shared", Subject: "HIV"}) {
		t.Errorf("%+v", d)
	}
	in.Modes = modes(t, map[string]string{"label": "off"})
	d = access.Decide(in)
	if !d.Allow || d.WouldDeny != nil || !slices.Contains(d.Obligations, access.StripLabels) {
		t.Errorf("%+v", d)
	}
	// A refusal by another rule counts, and still tells the rest.
	in.Modes = modes(t, map[string]string{"compartment": "audit"})
	other := labelled(observation("ines", "laboratory"))
	in.Resource = &other
	if d = access.Decide(in); d.Allow || d.Reasons[0].Rule != "scope" || len(d.WouldDeny) != 1 || d.WouldDeny[0].Rule != "compartment" {
		t.Errorf("%+v", d)
	}
}

// Nothing of an audited consent rule is lost: who writes for somebody else is
// still named as the author (GW-22).
func TestAuditedConsentKeepsAuthor(t *testing.T) {
	in := input(t, elena, "patient/Communication.c")
	in.Policy, in.ProxyInForce = consentE1(t), true
	res := fhir.Resource{Type: "Communication", Subjects: []string{"rosa"}}
	in.Resource, in.Op = &res, scope.Create
	if d := access.Decide(in); d.Allow {
		t.Fatalf("%+v", d)
	}
	in.Modes = modes(t, map[string]string{"consent": "off"})
	if d := access.Decide(in); !d.Allow || !slices.Contains(d.Obligations, access.ForceAuthor) {
		t.Errorf("%+v", d)
	}
}

// Without rewriting, a search is sent as it came and filtered all the same.
func TestRewriteOff(t *testing.T) {
	in := input(t, selfRosa, "patient/Observation.rs")
	in.Request = request(t, "GET", "/Observation")
	if d := access.Decide(in); len(d.Rewrite) == 0 {
		t.Fatalf("%+v", d)
	}
	in.Modes = modes(t, map[string]string{"rewrite": "off"})
	if d := access.Decide(in); !d.Allow || len(d.Rewrite) != 0 || !d.Filter {
		t.Errorf("%+v", d)
	}
}
