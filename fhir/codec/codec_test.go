package codec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
)

const good = `{"resourceType":"Consent","id":"c1","status":"active",
"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},
"category":[{"coding":[{"system":"http://loinc.org","code":"59284-0"}]}],
"patient":{"reference":"Patient/rosa"},"dateTime":"2026-11-02T10:15:00-06:00",
"performer":[{"reference":"Patient/rosa"}],"policy":[{"uri":"https://mandate.example/policy/x/1"}],
"provision":{"type":"deny","period":{"start":"2026-11-02","end":"2027-05-02"},
"provision":[{"type":"permit","code":[{"text":"x"}]}]}}`

func newCodec(t testing.TB) *Codec {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFaultsNameTheElement: what is wrong is refused with the path of the
// element, by the library and by our own checks (D6).
func TestFaultsNameTheElement(t *testing.T) {
	c := newCodec(t)
	if err := c.Validate([]byte(good)); err != nil {
		t.Fatalf("the good Consent: %v", err)
	}
	lines := strings.Replace(good, `"Patient/rosa"},"dateTime"`, `"Patient/rosa","display":"Rosa\n\tM.\r\n"},"dateTime"`, 1)
	if err := c.Validate([]byte(lines)); err != nil {
		t.Errorf("lines and tabs: %v", err)
	}
	for _, tt := range []struct{ name, old, new, path string }{
		{"unknown status", `"active"`, `"acive"`, "Consent.status"},
		{"no status", `"status":"active",`, ``, "Consent"},
		{"no scope", `"scope":{`, `"_scope":{`, "Consent"},
		{"bad id", `"c1"`, `"no good"`, "Consent.id"},
		{"bad rule type", `"type":"permit"`, `"type":"perhaps"`, "Consent.provision.provision[0].type"},
		{"misspelt element", `"period"`, `"periode"`, "Consent.provision"},
		{"no date", `"2026-11-02T10:15:00-06:00"`, `"yesterday"`, "Consent.dateTime"},
		{"patient is a Group", `"patient":{"reference":"Patient/rosa"}`, `"patient":{"reference":"Group/g"}`, "Consent.patient"},
		{"performer not a list", `"performer":[{"reference":"Patient/rosa"}]`, `"performer":{"reference":"Patient/rosa"}`, "Consent.performer"},
		{"duplicate key", `"status":"active",`, `"status":"active","status":"inactive",`, "status"},
		{"empty array", `"performer":[{"reference":"Patient/rosa"}]`, `"performer":[]`, "performer"},
		{"empty string", `"Patient/rosa"},"dateTime"`, `""},"dateTime"`, "patient.reference"},
		{"NUL in a string", `"Patient/rosa"},"dateTime"`, `"Patient/rosa","display":"Ro\u0000sa"},"dateTime"`, "patient.display"},
		{"escape in a string", `"Patient/rosa"},"dateTime"`, `"Patient/rosa","display":"\u001b[2J"},"dateTime"`, "patient.display"},
		{"empty object", `"policy":[{"uri":"https://mandate.example/policy/x/1"}]`, `"policy":[{}]`, "policy[0]"},
		{"null", `"id":"c1"`, `"id":null`, "id"},
		{"ppc-1", `"policy":[{"uri":"https://mandate.example/policy/x/1"}],`, ``, "Consent.policy"},
		{"privacy without patient", `"patient":{"reference":"Patient/rosa"},`, ``, "Consent.patient"},
		{"nested without type", `[{"type":"permit",`, `[{`, "Consent.provision.provision[0].type"},
		{"reversed period", `"2027-05-02"`, `"2025-05-02"`, "Consent.provision.period"},
		{"dangling contained", `"performer":[{"reference":"Patient/rosa"}]`, `"performer":[{"reference":"#p"}]`, "Consent.performer[0].reference"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bad := strings.Replace(good, tt.old, tt.new, 1)
			if bad == good {
				t.Fatal("the case changes nothing")
			}
			err := c.Validate([]byte(bad))
			if !errs.Is(err, errs.Invalid) {
				t.Fatalf("got %v, want invalid", err)
			}
			issues := issuesIn(err)
			if len(issues) == 0 || !anyPath(issues, tt.path) {
				t.Errorf("issues %+v, want one at %q", issues, tt.path)
			}
		})
	}
}

func anyPath(issues []Issue, path string) bool {
	for _, i := range issues {
		if i.Path == path {
			return true
		}
	}
	return false
}

func TestNotAResource(t *testing.T) {
	c := newCodec(t)
	for _, raw := range []string{"", "null", "[]", `"Consent"`, "{", `{"id":"x"}`, good + "{}", good + "x",
		`{"resourceType":"Consnt"}`, `{"resourceType":7}`, "\xff", `{"resourceType":"Patient","id":"` + "\xfe" + `"}`} {
		if err := c.Validate([]byte(raw)); !errs.Is(err, errs.Invalid) || len(issuesIn(err)) == 0 {
			t.Errorf("%q: got %v", raw, err)
		}
	}
	if err := c.Validate(make([]byte, MaxBytes+1)); !errs.Is(err, errs.TooLarge) {
		t.Errorf("oversize: %v", err)
	}
}

// TestDepth: nesting is cut off before the library's cost grows with it.
func TestDepth(t *testing.T) {
	deep := `{"resourceType":"Questionnaire","status":"draft","item":` +
		strings.Repeat(`[{"linkId":"a","type":"group","item":`, 40) + `[]` + strings.Repeat(`}]`, 40) + `}`
	if err := newCodec(t).Validate([]byte(deep)); !errs.Is(err, errs.Invalid) || !strings.Contains(err.Error(), "deeply") {
		t.Errorf("got %v", err)
	}
}

// TestNoValuesInErrors: an error may be logged, so it repeats no value and no
// key of the sender's making.
func TestNoValuesInErrors(t *testing.T) {
	secret := "Rosa Alvarez"
	c := newCodec(t)
	for _, raw := range []string{
		`{"resourceType":"Patient","gender":"` + secret + `"}`,
		`{"resourceType":"Patient","birthDate":"` + secret + `"}`,
		`{"resourceType":"Patient","` + secret + `":1}`,
		`{"resourceType":"Patient","` + secret + `":[]}`,
		`{"resourceType":"` + secret + `"}`,
		`{"resourceType":"Patient","active":"` + secret + `"}`,
		`{"resourceType":"Patient","managingOrganization":{"reference":"` + secret + `"}}`,
	} {
		if err := c.Validate([]byte(raw)); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestValidateType(t *testing.T) {
	c := newCodec(t)
	if err := c.ValidateType([]byte(good), "Consent"); err != nil {
		t.Error(err)
	}
	if err := c.ValidateType([]byte(good), "RelatedPerson"); !errs.Is(err, errs.Invalid) {
		t.Errorf("got %v", err)
	}
}

// TestExamples: the published example Consents are valid.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../consent/testdata/e*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	c := newCodec(t)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(raw); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// issuesIn gives the faults that an error of Validate carries.
func issuesIn(err error) []Issue {
	var e *Error
	if errors.As(err, &e) {
		return e.Issues
	}
	return nil
}

func TestConcurrentFirstUse(t *testing.T) {
	c := newCodec(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := c.Validate([]byte(good)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func FuzzValidate(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"resourceType":"Patient","name":[{"family":"x"}]}`))
	f.Add([]byte(`[[[[`))
	c := newCodec(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := c.Validate(raw); err != nil && errs.KindOf(err) != errs.Invalid && errs.KindOf(err) != errs.TooLarge {
			t.Errorf("kind of %v", err)
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	c := newCodec(b)
	for b.Loop() {
		if err := c.Validate([]byte(good)); err != nil {
			b.Fatal(err)
		}
	}
}
