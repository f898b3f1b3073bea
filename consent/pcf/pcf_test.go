package pcf_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/consent/pcf"
	"github.com/mandate-health/mandate/fhir"
)

func example(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// PC-25: the published examples that claim a profile meet it, and those that
// claim none are told so.
// CPA TF-25.
func TestExamplesMeetWhatTheyClaim(t *testing.T) {
	for name, want := range map[string]string{
		"e2-husband-full-normal": pcf.Advanced, "e3-agent-springing": pcf.Advanced, "e4-block-former-spouse": pcf.Basic,
		"e6-part2-sister": pcf.Advanced, "e7-executor": pcf.Advanced,
	} {
		profile, found, err := pcf.Lint(example(t, name), "")
		if err != nil || profile != want || len(found) > 0 {
			t.Errorf("%s: %s %v %v", name, profile, found, err)
		}
	}
	for _, name := range []string{"e1-daughter-meds-appts", "e5-teen-mother-limited"} {
		if _, found, err := pcf.Lint(example(t, name), ""); err != nil || len(found) != 1 || found[0].Path != "Consent.meta.profile" {
			t.Errorf("%s: %v %v", name, found, err)
		}
	}
}

// PC-25: each mutant is told at the element that was changed.
// CPA TF-25.
func TestMutantsAreTold(t *testing.T) {
	for path, change := range map[string]func(c, provision map[string]any){
		"Consent.status":                       func(c, _ map[string]any) { delete(c, "status") },
		"Consent.scope":                        func(c, _ map[string]any) { c["scope"] = map[string]any{"text": "privacy"} },
		"Consent.category":                     func(c, _ map[string]any) { delete(c, "category") },
		"Consent.dateTime":                     func(c, _ map[string]any) { delete(c, "dateTime") },
		"Consent.performer":                    func(c, _ map[string]any) { c["performer"] = []any{} },
		"Consent.organization":                 func(c, _ map[string]any) { delete(c, "organization") },
		"Consent.source[x]":                    func(c, _ map[string]any) { delete(c, "sourceReference") },
		"Consent.policy[0].uri":                func(c, _ map[string]any) { c["policy"] = []any{map[string]any{}} },
		"Consent.policy[0].authority":          func(c, _ map[string]any) { c["policy"].([]any)[0].(map[string]any)["authority"] = "x" },
		"Consent.verification":                 func(c, _ map[string]any) { c["verification"] = []any{map[string]any{"verified": true}} },
		"Consent.identifier":                   func(c, _ map[string]any) { c["identifier"] = []any{map[string]any{}, map[string]any{}} },
		"Consent.provision.type":               func(_, p map[string]any) { delete(p, "type") },
		"Consent.provision.action":             func(_, p map[string]any) { p["action"] = []any{} },
		"Consent.provision.class":              func(_, p map[string]any) { p["class"] = []any{} },
		"Consent.provision.code":               func(_, p map[string]any) { p["code"] = []any{} },
		"Consent.provision.actor[0].role":      func(_, p map[string]any) { p["actor"].([]any)[0].(map[string]any)["role"] = nil },
		"Consent.provision.data[0].meaning":    func(_, p map[string]any) { p["data"].([]any)[0].(map[string]any)["meaning"] = "dependents" },
		"Consent.provision.data[0].reference":  func(_, p map[string]any) { p["data"].([]any)[0].(map[string]any)["meaning"] = "related" },
		"Consent.provision.provision[0].class": func(_, p map[string]any) { p["provision"] = []any{map[string]any{"type": "deny", "class": []any{}}} },
		"Consent.provision.provision[0].provision[0]": func(_, p map[string]any) {
			p["provision"] = []any{map[string]any{"type": "deny", "provision": []any{map[string]any{"type": "permit"}}}}
		},
	} {
		t.Run(path, func(t *testing.T) {
			var c map[string]any
			if err := json.Unmarshal(example(t, "e6-part2-sister"), &c); err != nil {
				t.Fatal(err)
			}
			change(c, c["provision"].(map[string]any))
			raw, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			_, found, err := pcf.Lint(raw, "")
			if err != nil || len(found) != 1 || found[0].Path != path {
				t.Errorf("%v %v", found, err)
			}
		})
	}
}

// What a lower profile lacks is told, and what is no Consent is an error.
func TestProfilesAreSteps(t *testing.T) {
	e2 := example(t, "e2-husband-full-normal")
	if _, found, err := pcf.Lint(e2, pcf.Basic); err != nil || len(found) != 1 || found[0].Path != "Consent.provision.securityLabel" {
		t.Errorf("%v %v", found, err)
	}
	if _, _, err := pcf.Lint(e2, "IHE.PCF.other"); err == nil {
		t.Error("an unknown profile was taken")
	}
	if _, _, err := pcf.Lint([]byte(`{"resourceType":"Patient"}`), ""); err == nil {
		t.Error("a Patient was taken")
	}
}

// A.3: every example can be said in PCF; what PCF cannot say leaves a modifier
// extension with the scopes, under which a reader refuses, as this engine does.
// CPA TR-23, TR-24.
func TestRender(t *testing.T) {
	for name, want := range map[string]string{
		"e1-daughter-meds-appts": pcf.Advanced, "e2-husband-full-normal": pcf.Advanced, "e3-agent-springing": pcf.Advanced,
		"e4-block-former-spouse": pcf.Basic, "e5-teen-mother-limited": pcf.Advanced, "e6-part2-sister": pcf.Advanced,
	} {
		t.Run(name, func(t *testing.T) {
			out, err := pcf.Render(example(t, name))
			if err != nil {
				t.Fatal(err)
			}
			profile, found, err := pcf.Lint(out, "")
			if err != nil || profile != want || len(found) > 0 {
				t.Errorf("%s %v %v", profile, found, err)
			}
			narrowed := strings.Contains(string(out), pcf.ScopesURL)
			if narrowed != (name[:2] == "e1" || name[:2] == "e5") {
				t.Errorf("modifier extension: %v", narrowed)
			}
			c, err := consent.Parse(out)
			if err != nil {
				t.Fatal(err)
			}
			if narrowed && len(c.Faults) == 0 {
				t.Error("a reader without the extension takes it for the whole")
			}
		})
	}
	out, err := pcf.Render(example(t, "e1-daughter-meds-appts"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"patient/MedicationRequest.rs", "patient/Appointment.crus", "patient/Patient.rs"} {
		if !strings.Contains(string(out), s) {
			t.Errorf("%s is missing", s)
		}
	}
	if strings.Contains(string(out), "patient/Observation") {
		t.Error("a scope too many")
	}
	c, err := consent.Parse(out)
	if err != nil {
		t.Fatal(err)
	}
	g := consent.GrantableFor(consent.Compile("rosa", 0, []consent.Consent{c}, consent.Options{}),
		[]fhir.Reference{{Type: "RelatedPerson", ID: "rosa-elena"}}, "FAMRQT", time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	if !g.Denied && len(g.Scopes) > 0 {
		t.Errorf("the rendering lets in: %v", g.Scopes)
	}
}

// A Consent that is not about privacy, or is not understood, is not rendered.
func TestRenderRefuses(t *testing.T) {
	e2 := string(example(t, "e2-husband-full-normal"))
	for name, raw := range map[string]string{
		"not a consent": `{"resourceType":"Patient"}`,
		"research":      strings.Replace(e2, `"patient-privacy"`, `"research"`, 1),
		"modifier":      strings.Replace(e2, `"status"`, `"modifierExtension":[{"url":"urn:x"}],"status"`, 2),
		"no source":     strings.Replace(e2, `"sourceReference"`, `"_sourceReference"`, 1),
	} {
		if _, err := pcf.Render([]byte(raw)); err == nil {
			t.Errorf("%s: rendered", name)
		}
	}
}
