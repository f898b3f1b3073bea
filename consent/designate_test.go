package consent

import (
	"slices"
	"strings"
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

// CPA TR-05, TR-06, TR-08, TR-09, TR-12, TR-27: what Mandate writes is read alike by
// engines that inherit nothing, flip signs or take a level as its highest: each rule
// names actor and leaf purpose, no nested rule has the sign of its root, no denial
// lists a level, no prohibition ends, and the roles are of the code systems they have.
func TestWhatMandateWritesIsReadAlikeElsewhere(t *testing.T) {
	now := at(t, "2026-11-20T12:00:00Z")
	actor, patient := fhir.Reference{Type: "RelatedPerson", ID: "bea"}, fhir.Reference{Type: "Patient", ID: "rosa"}
	var all []Consent
	for _, purpose := range []string{"FAMRQT", "SUPNWK", "PWATRNY", "HDECD"} {
		d := Designation{
			Patient: "rosa", Actor: actor, Performer: patient, Purpose: purpose, Role: "HPOWATT", At: now, From: now, Until: now.AddDate(0, 6, 0),
			Status: "active", Kinds: []string{"medicines", "results"}, Functions: Functions(), Restricted: true,
		}
		raw, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, mustParse(t, raw))
	}
	for _, f := range []Forbidding{{Actors: []fhir.Reference{actor}}, {Item: fhir.Reference{Type: "Observation", ID: "o"}}} {
		f.Patient, f.At = "rosa", now
		raw, err := f.JSON()
		if err != nil {
			t.Fatal(err)
		}
		c := mustParse(t, raw)
		if c.Kind != KindProhibition || !c.Lapses().IsZero() {
			t.Errorf("a prohibition that ends: %s", raw)
		}
		all = append(all, c)
	}
	for _, c := range all {
		if c.Root.Type != "deny" || len(c.Root.Labels) > 0 {
			t.Errorf("the root is %+v", c.Root)
		}
		for _, n := range c.Root.Nested {
			if n.Type != "permit" || len(n.Actors) != 1 || n.Actors[0].Reference != actor || len(n.Purposes) != 1 || len(c.Root.Purposes) != 1 || n.Purposes[0] != c.Root.Purposes[0] {
				t.Errorf("a rule is %+v", n)
			}
			for other := range actReasonParents {
				if other != n.Purposes[0].Code && isA(actReasonParents, other, n.Purposes[0].Code) {
					t.Errorf("the purpose %s holds %s", n.Purposes[0].Code, other)
				}
			}
			for _, r := range n.Actors[0].Roles {
				if r.Code == "CAREGIVER" && !strings.HasSuffix(r.System, "v3-RoleClass") || r.Code == "HPOWATT" && r.System != fhir.SystemRoleCode {
					t.Errorf("the role %v", r)
				}
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
