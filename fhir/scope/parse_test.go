package scope

import (
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
)

const (
	obsCat  = "http://terminology.hl7.org/CodeSystem/observation-category"
	condCat = "http://terminology.hl7.org/CodeSystem/condition-category"
)

func TestParseScopeReadsV1AndV2(t *testing.T) {
	for text, want := range map[string]string{
		// SMART SCP-01
		"patient/Observation.rs":    "patient/Observation.rs",
		"user/*.cruds":              "user/*.cruds",
		"system/Patient.s":          "system/Patient.s",
		"patient/Immunization.crud": "patient/Immunization.crud",
		// SMART SCP-03
		"patient/Observation.read":  "patient/Observation.rs",
		"patient/Observation.write": "patient/Observation.cud",
		"patient/*.*":               "patient/*.cruds",
		// SMART SCP-06, SCP-08
		"patient/Observation.rs?category=" + obsCat + "|laboratory":               "patient/Observation.rs?category=" + obsCat + "|laboratory",
		"patient/Observation.rs?status=final&category=a,b":                        "patient/Observation.rs?category=a,b&status=final",
		"patient/Observation.rs?category=http%3A%2F%2Fx%7Clab":                    "patient/Observation.rs?category=http://x|lab",
		"patient/Observation.rs?code=a%26b%2B%25%20c":                             "patient/Observation.rs?code=a%26b%2B%25%20c",
		"patient/Observation.rs?code=a%5C,b":                                      "patient/Observation.rs?code=a%5C,b",
		"patient/Observation.rs?code:in=http://vs":                                "patient/Observation.rs?code:in=http://vs",
		"patient/Observation.rs?category=b&category=a&category=b":                 "patient/Observation.rs?category=a&category=b",
		"patient/Observation.r?category=" + misprints[0] + "social-history":       "patient/Observation.r?category=" + obsCat + "|social-history",
		"patient/Observation.r?category=" + misprints[1] + "social-history,other": "patient/Observation.r?category=" + obsCat + "|social-history,other",
	} {
		s, ok := ParseScope(text)
		if !ok {
			t.Errorf("%s: not read", text)
			continue
		}
		if got := s.Canonical(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		if s.Text != "" && s.String() != text {
			t.Errorf("%s: the literal text became %s", text, s)
		}
	}
}

func TestParseScopeRefusesWhatItCannotRead(t *testing.T) {
	for _, text := range []string{
		// SMART SCP-02: never repaired, never widened.
		"patient/Observation.dus", "patient/Observation.sr", "patient/Observation.rx",
		"patient/Observation.", "patient/Observation", "patient/Observation.rr",
		"patient/Observation.RS", "patient/Observation.reads", "patient/Observation.r.s",
		// Case matters (SCP-32), types must exist.
		"patient/observation.rs", "Patient/Observation.rs", "patient/Foo.rs", "patient/**.rs", "patient/.rs", "patient/Obs*.rs",
		// A v1 scope has no query part.
		"patient/Observation.read?category=a", "patient/Observation.*?category=a", "patient/Observation.write?",
		// Broken query parts.
		"patient/Observation.rs?", "patient/Observation.rs?category", "patient/Observation.rs?category=",
		"patient/Observation.rs?=a", "patient/Observation.rs?category=a&", "patient/Observation.rs?category=a,,b",
		"patient/Observation.rs?category=a,", "patient/Observation.rs?category=%zz", "patient/Observation.rs?category=%FF",
		"patient/Observation.rs?category=%00", "patient/Observation.rs?category=a%5C", "patient/Observation.rs?cat gory=a",
		"patient/Observation.rs?code:in:x=a", "patient/Observation.rs?code:=a", "patient/Observation.rs?category=a?b c",
		// Other things altogether.
		"", "openid", "/", "patient", "patient/", "launch/patient", "clinic/Observation.rs", "patient\\Observation.rs",
	} {
		if s, ok := ParseScope(text); ok {
			t.Errorf("%q was read as %s", text, s.Canonical())
		}
	}
}

func TestParseRequest(t *testing.T) {
	// SMART SCP-19 … SCP-21, CTX-15 … CTX-17; repeated and unknown scopes do
	// not break a request.
	text := "launch/patient  openid fhirUser profile offline_access online_access launch patient/Patient.read patient/Foo.rs " +
		"launch/imagingstudy?role=http%3A%2F%2Fx%2Fprior patient/Patient.read launch/nothing launch/Patient launch/encounter?x=y"
	r, err := Parse(text, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Launch || !r.OpenID || !r.FHIRUser || !r.Profile || !r.OfflineAccess || !r.OnlineAccess {
		t.Errorf("a named scope was missed: %+v", r)
	}
	if got := r.Clinical.String(); got != "patient/Patient.read" {
		t.Errorf("clinical: %s", got)
	}
	want := []LaunchHint{{Type: "Patient", Text: "launch/patient"}, {Type: "ImagingStudy", Role: "http://x/prior", Text: "launch/imagingstudy?role=http%3A%2F%2Fx%2Fprior"}}
	if !slices.Equal(r.LaunchHints, want) {
		t.Errorf("hints: %+v", r.LaunchHints)
	}
	if !r.WantsLaunch("Patient") || r.WantsLaunch("Encounter") {
		t.Error("WantsLaunch is wrong")
	}
	if others := strings.Join(r.Others, " "); others != "patient/Foo.rs launch/nothing launch/Patient launch/encounter?x=y" {
		t.Errorf("others: %s", others)
	}
	if len(r.Texts) != 13 || r.Texts[0] != "launch/patient" {
		t.Errorf("texts: %q", r.Texts)
	}
}

func TestParseLimits(t *testing.T) {
	// SMART SCP-29, TRP-28
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString("x" + strings.Repeat("y", i) + " ")
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		text string
		lim  Limits
		code string
	}{
		"ten kilobytes":     {strings.Repeat("a", 10_000), Limits{}, "scope-too-long"},
		"too many":          {many(4), Limits{Count: 3}, "scope-too-many"},
		"just enough":       {many(3), Limits{Count: 3}, ""},
		"repetitions":       {strings.Repeat("openid ", 1000), Limits{}, ""},
		"a quotation mark":  {`patient/Patient.r "x"`, Limits{}, "scope-characters"},
		"a backslash":       {`patient/Patient.r\`, Limits{}, "scope-characters"},
		"a tab":             {"openid\tprofile", Limits{}, "scope-characters"},
		"a letter with dot": {"opénid", Limits{}, "scope-characters"},
		"nothing":           {"", Limits{}, ""},
	} {
		_, err := Parse(c.text, c.lim)
		if c.code == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if c.code != "" && (!errs.Is(err, errs.InvalidScope) || errs.As(err).Code != c.code) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	r, err := Parse("patient/Observation.rs?code=a,b,c", Limits{Values: 2})
	if err != nil || len(r.Clinical) != 0 || len(r.Others) != 1 {
		t.Errorf("too many values: %+v %v", r, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("patient/Observation.rs?category=" + obsCat + "|laboratory launch/patient openid")
	f.Add("user/*.* system/Patient.cruds patient/Observation.r?code:in=%2C,a%5C,b")
	f.Add("launch/imagingstudy?role=a%2525 patient/Observation.read?x=y")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(text, Limits{})
		if err != nil {
			return
		}
		if n := len(r.Clinical) + len(r.Others) + len(r.LaunchHints); n > len(r.Texts) {
			t.Fatalf("more results than tokens: %d of %d", n, len(r.Texts))
		}
		for _, s := range r.Clinical {
			canonical := s.Canonical()
			again, ok := ParseScope(canonical)
			if !ok || again.Canonical() != canonical {
				t.Fatalf("%q is not stable: %q", canonical, again.Canonical())
			}
			again.Text = ""
			if !(Set{s}).Covers(again) || !(Set{again}).Covers(s) {
				t.Fatalf("%q changed its meaning in writing", canonical)
			}
			wide := Scope{Level: s.Level, Type: s.Type, Ops: s.Ops}
			if len(s.Params) > 0 && (Set{s}).Covers(wide) {
				t.Fatalf("%q lost its parameters", canonical)
			}
		}
	})
}
