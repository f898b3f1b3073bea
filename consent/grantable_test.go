package consent

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func person(id string) []fhir.Reference {
	return []fhir.Reference{{Type: "RelatedPerson", ID: id}}
}

// asked takes a scope request apart, wildcards kept.
func asked(t testing.TB, text string) scope.Set {
	t.Helper()
	r, err := scope.Parse(text, scope.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return r.Clinical
}

// meet gives what a request and a Grantable have in common, in short form.
func meet(t testing.TB, g Grantable, request string) []string {
	t.Helper()
	var out []string
	for _, s := range g.Scopes.Intersect(asked(t, request)).Normalise() {
		out = append(out, s.Canonical())
	}
	slices.Sort(out)
	return out
}

const (
	obsVital = "?category=http://terminology.hl7.org/CodeSystem/observation-category%7Cvital-signs"
	obsLab   = "?category=http://terminology.hl7.org/CodeSystem/observation-category%7Claboratory"
)

func canonical(t testing.TB, list string) []string {
	t.Helper()
	var out []string
	for _, s := range asked(t, list) {
		out = append(out, s.Canonical())
	}
	slices.Sort(out)
	return out
}

func chart(t testing.TB) string {
	t.Helper()
	var out []string
	for _, c := range chartTypes() {
		out = append(out, "patient/"+c+".rs")
	}
	return strings.Join(out, " ")
}

// TestWorkedMappings is WM-01 … WM-10 (A.10).
// CPA TF-07, TF-08, TF-09; FX-01, FX-03, FX-04, FX-07.
func TestWorkedMappings(t *testing.T) {
	const now = "2026-11-20T12:00:00-06:00"
	elena := "patient/MedicationRequest.rs patient/MedicationStatement.rs patient/MedicationDispense.rs " +
		"patient/Medication.rs patient/AllergyIntolerance.rs patient/Appointment.rs patient/AppointmentResponse.rs " +
		"patient/Schedule.rs patient/Slot.rs patient/Patient.rs"
	for _, tt := range []struct{ id, patient, who, purpose, at, asks, says string }{
		{"WM-01", "rosa", "rosa-elena", "FAMRQT", now, "patient/*.rs", elena},
		{"WM-02", "rosa", "rosa-elena", "FAMRQT", now, "patient/Appointment.cruds patient/Observation.rs", "patient/Appointment.crus"},
		{"WM-03", "rosa", "rosa-elena", "FAMRQT", now, "patient/Observation.rs", ""},
		{"WM-04", "rosa", "rosa-tomas", "FAMRQT", now, "patient/*.rs patient/Communication.cruds",
			strings.Replace(chart(t), "patient/Communication.rs", "patient/Communication.crs", 1)},
		{"WM-05", "rosa", "rosa-marcus", "PWATRNY", now, "patient/*.rs",
			chart(t) + " patient/Coverage.rs patient/ExplanationOfBenefit.rs patient/Account.rs"},
		{"WM-06", "rosa", "rosa-marcus", "PWATRNY", "2026-11-13T12:00:00-06:00", "patient/*.rs", ""},
		{"WM-07", "rosa", "rosa-victor", "FAMRQT", now, "patient/*.cruds", ""},
		{"WM-08", "noah", "noah-dana", "FAMRQT", now, "patient/Observation.rs patient/Immunization.rs patient/Condition.rs",
			"patient/Observation.rs" + obsVital + " patient/Observation.rs" + obsLab + " patient/Immunization.rs"},
		{"WM-09", "noah", "noah-dana", "FAMRQT", now,
			"patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category%7Csurvey", ""},
		{"WM-10", "rosa", "rosa-ines", "SUPNWK", now, "patient/MedicationRequest.rs", "patient/MedicationRequest.rs"},
	} {
		t.Run(tt.id, func(t *testing.T) {
			g := GrantableFor(policyOf(t, tt.patient), person(tt.who), tt.purpose, at(t, tt.at))
			if got, want := meet(t, g, tt.asks), canonical(t, tt.says); !slices.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			if tt.says != "" && (len(g.Consents) != 1 || g.ValidUntil.IsZero()) {
				t.Errorf("consents %v, valid until %v", g.Consents, g.ValidUntil)
			}
		})
	}
}

// TestBlockedLooksLikeAStranger: only the operator can tell (WM-07, SC-10).
func TestBlockedLooksLikeAStranger(t *testing.T) {
	p, now := policyOf(t, "rosa"), at(t, "2026-11-20T12:00:00-06:00")
	blocked := GrantableFor(p, person("rosa-victor"), "FAMRQT", now)
	stranger := GrantableFor(p, person("nobody"), "FAMRQT", now)
	if !blocked.Denied || stranger.Denied {
		t.Errorf("denied: %v %v", blocked.Denied, stranger.Denied)
	}
	if len(blocked.Scopes)+len(stranger.Scopes)+len(blocked.Functions) != 0 || !blocked.ValidUntil.IsZero() || blocked.Offline {
		t.Errorf("blocked %+v, stranger %+v", blocked, stranger)
	}
	if got := purposesFor(p, person("rosa-victor")[0], now); got != nil {
		t.Errorf("purposes %v", got)
	}
}

// TestOfflineAccess: view-only gives no refresh token, a copy that permits
// download does (SC-16).
func TestOfflineAccess(t *testing.T) {
	now := at(t, "2026-11-20T12:00:00-06:00")
	e1 := string(examples(t)["e1-daughter-meds-appts"])
	withDownload := strings.Replace(e1, `"code": "view"`, `"code": "download"`, 1)
	infa := strings.Replace(e1, `"code": "INFAO"`, `"code": "INFA"`, 1)
	for name, tt := range map[string]struct {
		raw  string
		want bool
	}{"view only": {e1, false}, "download": {withDownload, true}, "access": {infa, true}} {
		t.Run(name, func(t *testing.T) {
			if name != "view only" && tt.raw == e1 {
				t.Fatal("the case changes nothing")
			}
			p := Compile("rosa", 1, []Consent{mustParse(t, []byte(tt.raw))}, Options{})
			if g := GrantableFor(p, person("rosa-elena"), "FAMRQT", now); g.Offline != tt.want || len(g.Scopes) == 0 {
				t.Errorf("offline %v, scopes %v", g.Offline, g.Scopes)
			}
		})
	}
}

// TestScopesKeepTheRules: no wildcard, no type of SC-04, no delete, nothing
// that the parameters could not say (SC-03, SC-04, SC-07).
func TestScopesKeepTheRules(t *testing.T) {
	for _, who := range []struct{ patient, actor, purpose string }{
		{"rosa", "rosa-elena", "FAMRQT"}, {"rosa", "rosa-tomas", "FAMRQT"}, {"rosa", "rosa-marcus", "PWATRNY"},
		{"rosa", "rosa-ines", "SUPNWK"}, {"noah", "noah-dana", "FAMRQT"},
	} {
		g := GrantableFor(policyOf(t, who.patient), person(who.actor), who.purpose, at(t, "2026-11-20T12:00:00-06:00"))
		for _, s := range g.Scopes {
			if s.Type == scope.AnyType || NeverForProxies(s.Type) || s.Ops.Has(scope.Delete) || s.Level != scope.Patient ||
				!s.Supported() || (len(s.Params) > 0 && s.Ops&^readSearch != 0) {
				t.Errorf("%s: %s", who.actor, s)
			}
		}
	}
}

// TestFunctionPruning: message on a list of classes writes Communication and
// nothing else (SC-24).
func TestFunctionPruning(t *testing.T) {
	g := GrantableFor(policyOf(t, "noah"), person("noah-dana"), "FAMRQT", at(t, "2026-11-20T12:00:00-06:00"))
	for _, s := range g.Scopes {
		if s.Ops.Has(scope.Create) && s.Type != "Communication" && s.Type != "Appointment" {
			t.Errorf("write on %s", s)
		}
	}
	if want := []string{"view", "message", "schedule"}; !slices.Equal(g.Functions, want) {
		t.Errorf("functions %v", g.Functions)
	}
}

// TestValidUntil: the end of the grant, or an earlier future prohibition, or
// the review date (EV-14).
// CPA TF-04, TR-02.
func TestValidUntil(t *testing.T) {
	now := at(t, "2026-11-20T12:00:00-06:00")
	future := strings.Replace(strings.Replace(string(examples(t)["e4-block-former-spouse"]), "rosa-victor", "rosa-elena", 1),
		`"type": "deny"`, `"type": "deny", "period": {"start": "2026-12-01T00:00:00-06:00"}`, 1)
	review := strings.Replace(string(examples(t)["e3-agent-springing"]), `"valueDate": "2026-12-14"`, `"valueDate": "2026-12-01"`, 1)
	for _, tt := range []struct {
		name, who, purpose, want string
		consents                 []string
	}{
		{"end of the grant", "rosa-elena", "FAMRQT", "2027-05-02T23:59:59-05:00", []string{string(examples(t)["e1-daughter-meds-appts"])}},
		{"prohibition to come", "rosa-elena", "FAMRQT", "2026-12-01T00:00:00-06:00", []string{string(examples(t)["e1-daughter-meds-appts"]), future}},
		{"review date", "rosa-marcus", "PWATRNY", "2026-12-01T23:59:59.999999999-06:00", []string{review}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var cs []Consent
			for _, raw := range tt.consents {
				cs = append(cs, mustParse(t, []byte(raw)))
			}
			p := Compile("rosa", 1, cs, Options{})
			want, err := time.Parse(time.RFC3339Nano, tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if g := GrantableFor(p, person(tt.who), tt.purpose, now); !g.ValidUntil.Equal(want) {
				t.Errorf("scopes until %v, want %v", g.ValidUntil, want)
			}
			q := Question{Patient: "rosa", Actors: person(tt.who), Purpose: tt.purpose, At: now,
				Resource: fhir.Resource{Type: "MedicationRequest", Labels: []fhir.Coding{{System: fhir.SystemConfidentiality, Code: "N"}}}}
			if r := Evaluate(p, q); !r.Permit || !r.ValidUntil.Equal(want) {
				t.Errorf("decision %+v, want until %v", r, want)
			}
		})
	}
}

func TestPurposes(t *testing.T) {
	now := at(t, "2026-11-20T12:00:00-06:00")
	p := policyOf(t, "rosa")
	for who, want := range map[string][]string{
		"rosa-elena": {"FAMRQT"}, "rosa-ines": {"SUPNWK"}, "rosa-marcus": {"PWATRNY"}, "nobody": nil,
	} {
		if got := purposesFor(p, person(who)[0], now); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", who, got, want)
		}
	}
}

// purposesFor lists the purposes under which a person has something to open.
func purposesFor(p *Policy, actor fhir.Reference, at time.Time) []string {
	var out []string
	for _, purpose := range ProxyPurposes() {
		if g := GrantableFor(p, []fhir.Reference{actor}, purpose, at); len(g.Scopes) > 0 {
			out = append(out, purpose)
		}
	}
	return out
}
