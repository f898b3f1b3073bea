package access_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/consent"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
)

func policy(t testing.TB, files ...string) *consent.Policy {
	t.Helper()
	var all []consent.Consent
	for i, name := range files {
		raw, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := consent.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		c.Version = i + 1
		all = append(all, c)
	}
	return consent.Compile("rosa", int64(len(all)), all, consent.Options{})
}

func consentE1(t testing.TB) *consent.Policy { return policy(t, "e1.json") }

const ceiling = "launch launch/patient openid fhirUser profile offline_access patient/*.cruds user/*.cruds system/*.cruds"

func question(t testing.TB, asked string, c fhir.Capacity) access.ScopeQuestion {
	t.Helper()
	return access.ScopeQuestion{
		Requested: set(t, asked), Registered: set(t, ceiling), Capacity: c, ProxyInForce: true,
		HasPatient: c.Patient != "", HasFHIRUser: !c.Acting.IsZero(), Now: now,
	}
}

// explained lists "scope:code" of what was not granted as asked.
func explained(a access.ScopeAnswer) []string {
	var out []string
	for _, e := range a.Explained {
		out = append(out, e.Scope+":"+e.Code)
	}
	return out
}

// SC-02, SC-03, SC-10, SC-16; WM-01…WM-09.
func TestGrantedScopes(t *testing.T) {
	e1, nothing := consentE1(t), consent.Compile("rosa", 0, nil, consent.Options{})
	withPolicy := func(p *consent.Policy) func(*access.ScopeQuestion) {
		return func(q *access.ScopeQuestion) { q.Policy = p }
	}
	tick := func(scopes string, keep bool) func(*access.ScopeQuestion) {
		return func(q *access.ScopeQuestion) { q.Ticked, q.KeepAccess = set(t, scopes).Clinical, keep }
	}
	none := func(*access.ScopeQuestion) {}
	for name, c := range map[string]struct {
		asked     string
		capacity  fhir.Capacity
		change    func(*access.ScopeQuestion)
		want      string
		explained string
		denied    bool
	}{
		"everything asked is granted":   {"launch/patient openid fhirUser offline_access patient/Observation.rs", selfRosa, none, "launch/patient openid fhirUser offline_access patient/Observation.rs", "", false},
		"v1 texts go back as they came": {"patient/Observation.read patient/Condition.*", selfRosa, none, "patient/Observation.read patient/Condition.*", "", false},
		"beyond the registration": {"patient/Observation.cruds", selfRosa, func(q *access.ScopeQuestion) { q.Registered = set(t, "patient/Observation.rs") },
			"patient/Observation.rs", "patient/Observation.cruds:not-registered", false},
		"not registered": {"patient/Observation.rs patient/Patient.rs", selfRosa, func(q *access.ScopeQuestion) { q.Registered = set(t, "patient/Patient.rs") },
			"patient/Patient.rs", "patient/Observation.rs:not-registered", false},
		"unknown words":         {"patient/Foo.rs patient/Patient.rs hello", selfRosa, none, "patient/Patient.rs", "patient/Foo.rs:scope-unknown hello:scope-unknown", false},
		"unsupported limit":     {"patient/Observation.rs?patient.name=x patient/Patient.rs", selfRosa, none, "patient/Patient.rs", "patient/Observation.rs?patient.name=x:scope-parameter-unsupported", false},
		"system for a person":   {"system/Patient.rs patient/Patient.rs", selfRosa, none, "patient/Patient.rs", "system/Patient.rs:scope-level-not-for-capacity", false},
		"patient for a system":  {"system/Patient.rs patient/Patient.rs", backend, none, "system/Patient.rs", "patient/Patient.rs:scope-level-not-for-capacity", false},
		"no patient":            {"patient/Patient.rs user/Patient.rs launch/patient", chen, none, "user/Patient.rs", "patient/Patient.rs:no-patient-in-context launch/patient:no-patient-in-context", false},
		"no EHR":                {"launch patient/Patient.rs", selfRosa, none, "patient/Patient.rs", "launch:no-launch-context", false},
		"fhirUser needs openid": {"fhirUser patient/Patient.rs", selfRosa, none, "patient/Patient.rs", "fhirUser:needs-openid", false},
		"not ticked":            {"patient/Observation.rs patient/Patient.rs offline_access", selfRosa, tick("patient/Patient.rs", false), "patient/Patient.rs", "patient/Observation.rs:not-chosen offline_access:access-while-away-not-chosen", false},
		"narrowed by ticks": {"patient/Observation.rs", selfRosa, tick("patient/Observation.rs?category="+obsCategory+"|laboratory", false),
			"patient/Observation.rs?category=" + obsCategory + "|laboratory", "patient/Observation.rs:not-chosen", false},
		"nothing ticked":      {"patient/Observation.rs", selfRosa, func(q *access.ScopeQuestion) { q.Ticked = scope.Set{} }, "", "patient/Observation.rs:not-chosen", true},
		"WM-02":               {"patient/Appointment.cruds patient/Observation.rs", elena, withPolicy(e1), "patient/Appointment.crus", "patient/Appointment.cruds:not-in-consent patient/Observation.rs:not-in-consent", false},
		"WM-03":               {"patient/Observation.rs", elena, withPolicy(e1), "", "patient/Observation.rs:not-in-consent", true},
		"WM-07 no consent":    {"patient/Observation.rs", elena, withPolicy(nothing), "", "patient/Observation.rs:not-in-consent", true},
		"view only":           {"patient/MedicationRequest.rs offline_access", elena, withPolicy(e1), "patient/MedicationRequest.rs", "offline_access:view-only-consent", false},
		"no user level":       {"user/MedicationRequest.rs patient/MedicationRequest.rs", elena, withPolicy(e1), "patient/MedicationRequest.rs", "user/MedicationRequest.rs:scope-level-not-for-capacity", false},
		"relation ended":      {"patient/MedicationRequest.rs", elena, func(q *access.ScopeQuestion) { q.Policy, q.ProxyInForce = e1, false }, "", "", true},
		"safety hold":         {"patient/MedicationRequest.rs", elena, func(q *access.ScopeQuestion) { q.Policy, q.SafetyHold = e1, true }, "", "", true},
		"consents unknown":    {"patient/MedicationRequest.rs", elena, none, "", "", true},
		"the log, to read":    {"patient/AuditEvent.rs", selfRosa, none, "patient/AuditEvent.rs", "", false},
		"the log, to write":   {"patient/AuditEvent.crs patient/Patient.rs", selfRosa, none, "patient/Patient.rs", "patient/AuditEvent.crs:type-not-offered", false},
		"the log, a proxy":    {"patient/AuditEvent.rs", elena, withPolicy(e1), "", "patient/AuditEvent.rs:type-not-offered", true},
		"the log, clinicians": {"user/AuditEvent.rs user/Patient.rs", chen, none, "user/Patient.rs", "user/AuditEvent.rs:type-not-offered", false},
		"the log, a system":   {"system/AuditEvent.rs", backend, none, "system/AuditEvent.rs", "", false},
		"identity is no data": {"openid fhirUser", selfRosa, none, "openid fhirUser", "", false},
	} {
		q := question(t, c.asked, c.capacity)
		c.change(&q)
		a := access.GrantedScopes(q)
		if got := strings.Join(a.Texts, " "); got != c.want || a.Denied != c.denied {
			t.Errorf("%s: %q denied %v, want %q", name, got, a.Denied, c.want)
		}
		if got := strings.Join(explained(a), " "); got != c.explained {
			t.Errorf("%s: explained %q, want %q", name, got, c.explained)
		}
	}
}

// SC-03, WM-01: a proxy's wildcard becomes explicit types, and the answer is
// bounded by the consent.
// CPA TF-07, TR-14.
func TestWildcardOfAProxy(t *testing.T) {
	q := question(t, "launch/patient openid fhirUser offline_access patient/*.rs", elena)
	q.Policy = consentE1(t)
	a := access.GrantedScopes(q)
	if strings.Contains(strings.Join(a.Texts, " "), "*") || a.Offline || a.OfflineOffered || a.ValidUntil.IsZero() || len(a.Consents) != 1 {
		t.Errorf("%+v", a)
	}
	for _, want := range []string{"patient/MedicationRequest.rs", "patient/AllergyIntolerance.rs", "patient/Appointment.rs", "patient/Patient.rs"} {
		if !slices.Contains(a.Texts, want) {
			t.Errorf("%s is missing: %v", want, a.Texts)
		}
	}
}

// scopes draws a scope string from what apps ask for.
func scopes() *rapid.Generator[string] {
	words := []string{"openid", "fhirUser", "profile", "offline_access", "launch/patient", "launch", "junk"}
	return rapid.Custom(func(t *rapid.T) string {
		var out []string
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			if rapid.Bool().Draw(t, "word") {
				out = append(out, rapid.SampledFrom(words).Draw(t, "w"))
				continue
			}
			s := rapid.SampledFrom([]string{"patient", "user", "system"}).Draw(t, "level") + "/" +
				rapid.SampledFrom([]string{"*", "Observation", "Condition", "Patient", "MedicationRequest", "Foo"}).Draw(t, "type") + "." +
				rapid.SampledFrom([]string{"rs", "r", "s", "cruds", "cud", "read", "write", "*", "sr"}).Draw(t, "ops")
			if strings.Contains(s, "/Observation.") && rapid.Bool().Draw(t, "limit") {
				s += "?category=" + obsCategory + "|" + rapid.SampledFrom([]string{"laboratory", "vital-signs"}).Draw(t, "category")
			}
			out = append(out, s)
		}
		return strings.Join(out, " ")
	})
}

// SC-02, SMART SCP-12: granted is within every operand, and nothing asked for
// is lost without a reason.
func TestGrantedWithinEveryOperand(t *testing.T) {
	e1 := consentE1(t)
	rapid.Check(t, func(rt *rapid.T) {
		parse := func(text string) scope.Request {
			req, err := scope.Parse(text, scope.Limits{})
			if err != nil {
				rt.Fatal(err)
			}
			return req
		}
		q := access.ScopeQuestion{
			Requested: parse(scopes().Draw(rt, "asked")), Registered: parse(scopes().Draw(rt, "registered")),
			Capacity:  rapid.SampledFrom([]fhir.Capacity{selfRosa, elena, chen, backend}).Draw(rt, "capacity"),
			EHRLaunch: rapid.Bool().Draw(rt, "ehr"), KeepAccess: rapid.Bool().Draw(rt, "keep"), Now: now, HasFHIRUser: true, Policy: e1, ProxyInForce: true,
		}
		q.HasPatient = q.Capacity.Patient != ""
		if rapid.Bool().Draw(rt, "ticks") {
			q.Ticked = append(scope.Set{}, parse(scopes().Draw(rt, "ticked")).Clinical...)
		}
		a := access.GrantedScopes(q)
		for name, operand := range map[string]scope.Set{"requested": q.Requested.Clinical, "registered": q.Registered.Clinical, "ticked": q.Ticked} {
			if (name != "ticked" || q.Ticked != nil) && !a.Clinical.Subset(operand) {
				rt.Fatalf("%v is not within %s %v", a.Clinical, name, operand)
			}
		}
		if q.Capacity.IsProxy() && !a.Clinical.Subset(consent.GrantableFor(e1, []fhir.Reference{elena.Acting}, "FAMRQT", now).Scopes) {
			rt.Fatalf("%v is not within the consent", a.Clinical)
		}
		for _, text := range q.Requested.Texts {
			literal := slices.Contains(a.Texts, text)
			told := slices.ContainsFunc(a.Explained, func(e access.Explanation) bool { return e.Scope == text })
			if !literal && !told {
				rt.Fatalf("%q is neither granted nor explained: %+v", text, a)
			}
		}
		for _, e := range a.Explained {
			for _, became := range e.Became {
				if !slices.Contains(a.Texts, became) {
					rt.Fatalf("%q became %q, which was not granted", e.Scope, became)
				}
			}
		}
	})
}
