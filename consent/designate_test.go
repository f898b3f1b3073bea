package consent

import (
	"slices"
	"testing"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
)

// FX-01 … FX-05, SP-06, SP-08, SP-09: each choice of the page is a valid Consent
// that opens exactly what was chosen, as long as it was chosen for.
func TestWhatPeopleChooseIsWhatTheConsentOpens(t *testing.T) {
	s, _ := service(t)
	now := s.deps.Clock.Now()
	actor := fhir.Reference{Type: "RelatedPerson", ID: "bea"}
	base := Designation{
		Patient: "rosa", Actor: actor, Performer: fhir.Reference{Type: "Patient", ID: "rosa"}, Organization: fhir.Reference{Type: "Organization", ID: "o"},
		Purpose: "FAMRQT", At: now, From: now, Until: now.AddDate(0, 6, 0), Status: "active",
	}
	var choices []Designation
	for _, k := range DataKinds() {
		d := base
		d.Kinds = []string{k.Name}
		choices = append(choices, d)
	}
	for _, f := range Functions() {
		d := base
		d.Kinds, d.Functions = []string{"allergies"}, []string{f}
		choices = append(choices, d)
	}
	agent := base
	agent.Purpose, agent.Role, agent.Performer, agent.Restricted, agent.Kinds = "PWATRNY", "HPOWATT", actor, true, []string{"results"}
	executor := agent
	executor.Purpose, executor.Role = "HDECD", "EXCEST"
	for _, d := range append(choices, agent, executor) {
		raw, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		rec, err := s.File(t.Context(), Filing{Tenant: tenant, ID: s.deps.IDs.ID(), Raw: raw})
		if err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
		c := mustParse(t, rec.JSON)
		p := Compile("rosa", 1, []Consent{c}, Options{})
		g := GrantableFor(p, []fhir.Reference{actor}, d.Purpose, now)
		held := append([]string{"view"}, d.Functions...)
		for _, f := range g.Functions {
			if !slices.Contains(held, f) {
				t.Errorf("%v opens %s", held, f)
			}
		}
		if len(g.Functions) != len(held) || !g.ValidUntil.Equal(d.Until.Truncate(1e9)) {
			t.Errorf("%v gives %v until %s", held, g.Functions, g.ValidUntil)
		}
		if want := slices.Contains(d.Functions, "download"); g.Offline != want {
			t.Errorf("%v: access while away is %t", d.Functions, g.Offline)
		}
		onlyTypesOf(t, d, g)
		for _, at := range []Question{{Patient: "rosa", At: d.Until.AddDate(0, 0, 1)}, {Patient: "rosa", At: now.AddDate(0, 0, -1)}} {
			if late := GrantableFor(p, []fhir.Reference{actor}, d.Purpose, at.At); len(late.Scopes) != 0 {
				t.Errorf("open at %s", at.At)
			}
		}
	}
}

func TestWhatNobodyCanChoose(t *testing.T) {
	for _, wrong := range []Designation{{Kinds: []string{"everything"}}, {Functions: []string{"manage-proxies"}}} {
		if _, err := wrong.JSON(); !errs.Is(err, errs.Invalid) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}

// onlyTypesOf wants the types of the chosen kinds to be open, and no others.
func onlyTypesOf(t *testing.T, d Designation, g Grantable) {
	t.Helper()
	for _, k := range DataKinds() {
		for _, typ := range k.Types {
			open := slices.ContainsFunc(g.Scopes.Normalise(), func(x scope.Scope) bool { return x.Type == typ })
			if slices.Contains(d.Kinds, k.Name) != open && len(d.Functions) == 0 {
				t.Errorf("%v: %s is open: %t", d.Kinds, typ, open)
			}
		}
	}
}
