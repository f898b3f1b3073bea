package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	elements := map[string][]string{
		"subject": {"Reference"}, "code": {"CodeableConcept"}, "identifier": {"Identifier"},
		"effective[x]": {"dateTime", "Period", "Timing"}, "medication[x]": {"CodeableConcept", "Reference"},
		"participant": {"BackboneElement"}, "participant.actor": {"Reference"},
	}
	for _, c := range []struct{ expr, kind, want string }{
		{"X.code", "token", "code"},
		{"X.identifier", "token", ""},
		{"X.subject.where(resolve() is Patient)", "reference", "subject:Patient"},
		{"X.participant.actor", "reference", "participant.actor"},
		{"X.effective", "date", "effectiveDateTime effectivePeriod effectiveTiming"},
		{"X.effective.as(Period)", "date", "effectivePeriod"},
		{"(X.medication as Reference)", "reference", "medicationReference"},
		{"(X.medication as CodeableConcept)", "token", "medicationCodeableConcept"},
		{"(X.medication as Reference)", "token", ""},
		{"X.extension('http://x')", "token", ""},
		{"X.telecom.where(system='email')", "token", ""},
		{"Other.code", "token", ""},
		{"X.code", "reference", ""},
	} {
		if got := strings.Join(resolve(c.expr, "X", c.kind, elements), " "); got != c.want {
			t.Errorf("%s as %s: %q", c.expr, c.kind, got)
		}
	}
}

func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"CompartmentDefinition-patient.json": `{"resource":[{"code":"X","param":["subject"]},{"code":"Y"}]}`,
		"StructureDefinition-X.json":         `{"snapshot":{"element":[{"path":"X"},{"path":"X.subject","type":[{"code":"Reference"}]},{"path":"X.code","type":[{"code":"code"}]}]}}`,
		"StructureDefinition-Y.json":         `{"snapshot":{"element":[{"path":"Y"}]}}`,
		"SearchParameter-1.json":             `{"url":"http://hl7.org/fhir/SearchParameter/1","code":"subject","base":["X","Y"],"type":"reference","expression":"X.subject | Y.subject"}`,
		"SearchParameter-2.json":             `{"url":"http://hl7.org/fhir/SearchParameter/2","code":"gender","base":["X"],"type":"token","expression":"X.code"}`,
		"SearchParameter-3.json":             `{"url":"http://example.org/SearchParameter/3","code":"foreign","base":["X"],"type":"token","expression":"X.code"}`,
		"SearchParameter-4.json":             `{"url":"http://hl7.org/fhir/SearchParameter/4","code":"status","base":["X"],"type":"token","expression":"X.code"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]bool{
		"X\ttype\t\tsubject\n": true, "Y\ttype\t\t\n": true, "X\treference\tsubject\tsubject\n": true, "X\ttoken\tstatus\tcode\n": true,
		"gender": false, "foreign": false, "Y\treference": false,
	} {
		if strings.Contains(string(out), line) != want {
			t.Errorf("%q: not %v in\n%s", line, want, out)
		}
	}
	if _, err := generate(t.TempDir()); err == nil {
		t.Error("an empty folder gave tables")
	}
}
