package grant

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/internal/errs"
)

// house.md: one file and one line per grant type.
func TestNames(t *testing.T) {
	if got := Names(); !slices.Equal(got, []string{"authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:device_code"}) {
		t.Errorf("%v", got)
	}
}

// SMART REF-04, SCP-32, D11
func TestSubset(t *testing.T) {
	const granted = "launch/patient openid fhirUser patient/Observation.rs patient/Condition.read patient/Foo.rs"
	for asked, want := range map[string]string{
		"patient/Observation.r":                             "patient/Observation.r",
		"patient/Observation.rs?category=laboratory openid": "patient/Observation.rs?category=laboratory openid",
		"patient/Condition.rs":                              "patient/Condition.rs",
		"patient/Condition.read patient/Foo.rs":             "patient/Condition.read patient/Foo.rs",
		"openid openid offline_access other":                "openid",
		"patient/Observation.cruds":                         "",
		"patient/*.r":                                       "",
		"patient/Patient.r openid":                          "",
		"user/Observation.rs":                               "",
		"patient/observation.rs":                            "",
		"unknown":                                           "",
	} {
		got, _, err := subset(granted, asked)
		if got != want || (want == "") != errs.Is(err, errs.InvalidScope) {
			t.Errorf("%s: %q %v", asked, got, err)
		}
	}
}

// SMART BKS-02: whatever is asked, nothing outside the registration is
// granted, and nothing that was not asked for.
func TestPreauthorisedNeverWidens(t *testing.T) {
	token := rapid.SampledFrom([]string{
		"system/*.rs", "system/*.read", "system/Patient.r", "system/Patient.cruds", "system/Observation.rs", "system/Observation.rs?category=laboratory",
		"system/Observation.s?category=laboratory,survey", "system/Observation.rs?code:in=x", "user/Patient.rs", "patient/*.rs", "openid", "junk",
	})
	rapid.Check(t, func(t *rapid.T) {
		registered := join(rapid.SliceOfN(token, 1, 4).Draw(t, "registered"))
		requested := join(rapid.SliceOfN(token, 1, 4).Draw(t, "requested"))
		granted, explained, err := preauthorised(registered, requested)
		whole(t, requested, granted, explained)
		if err != nil {
			return
		}
		g, _ := scope.Parse(granted, scope.Limits{})
		a, _ := scope.Parse(requested, scope.Limits{})
		c, _ := scope.Parse(registered, scope.Limits{})
		if len(g.Clinical) == 0 || len(g.Others) != 0 || !g.Clinical.Subset(a.Clinical) || !g.Clinical.Subset(c.Clinical) {
			t.Errorf("registered %q, requested %q, granted %q", registered, requested, granted)
		}
		for _, s := range g.Clinical {
			if s.Level != scope.System || !s.Supported() {
				t.Errorf("granted %s", s)
			}
		}
	})
}

// whole wants granted ∪ explained = requested, and of what a scope became that
// it was granted.
func whole(t *rapid.T, requested, granted string, explained []access.Explanation) {
	have := strings.Fields(granted)
	for text := range strings.FieldsSeq(requested) {
		told := slices.ContainsFunc(explained, func(e access.Explanation) bool { return e.Scope == text })
		if slices.Contains(have, text) == told {
			t.Errorf("requested %q: %q is granted and explained, or neither: %q %+v", requested, text, granted, explained)
		}
	}
	for _, e := range explained {
		if !slices.Contains(strings.Fields(requested), e.Scope) || e.Code == "" {
			t.Errorf("requested %q: explained %+v", requested, e)
		}
	}
}

// What a refresh leaves out is explained.
func TestRefreshLeavesNothingOutSilently(t *testing.T) {
	token := rapid.SampledFrom([]string{"launch/patient", "openid", "fhirUser", "patient/Observation.rs", "patient/Observation.r", "patient/*.rs", "offline_access", "junk"})
	rapid.Check(t, func(t *rapid.T) {
		held, requested := join(rapid.SliceOfN(token, 1, 5).Draw(t, "held")), join(rapid.SliceOfN(token, 1, 5).Draw(t, "requested"))
		granted, explained, err := subset(held, requested)
		if err == nil {
			whole(t, requested, granted, explained)
		} else if len(explained) == 0 {
			t.Errorf("held %q, requested %q: refused without a reason", held, requested)
		}
	})
}

// RFC 8693, SMART REF-04: nothing is handed on that the token does not have, that
// is not registered, or that is not clinical, and nothing is left out silently.
func TestDelegableNeverWidens(t *testing.T) {
	token := rapid.SampledFrom([]string{
		"patient/*.rs", "patient/*.read", "patient/Patient.r", "patient/Observation.rs", "patient/Observation.rs?category=laboratory",
		"user/Patient.rs", "openid", "fhirUser", "offline_access", "launch/patient", "junk",
	})
	rapid.Check(t, func(t *rapid.T) {
		held := join(rapid.SliceOfN(token, 1, 5).Draw(t, "held"))
		requested := join(rapid.SliceOfN(token, 0, 4).Draw(t, "requested"))
		one, two := join(rapid.SliceOfN(token, 1, 3).Draw(t, "one")), join(rapid.SliceOfN(token, 1, 3).Draw(t, "two"))
		granted, explained, err := delegable(held, requested, one, two)
		if err != nil {
			return
		}
		if requested != "" {
			whole(t, requested, granted, explained)
		}
		g, _ := scope.Parse(granted, scope.Limits{})
		for _, bound := range []string{held, one, two} {
			b, _ := scope.Parse(bound, scope.Limits{})
			if len(g.Clinical) != len(g.Texts) || !g.Clinical.Subset(b.Clinical) {
				t.Errorf("held %q, registered %q and %q, granted %q", held, one, two, granted)
			}
		}
	})
}

func join(tokens []string) string {
	out := ""
	for _, t := range tokens {
		out += t + " "
	}
	return out
}

// SMART PKCE-05
func TestVerifierForm(t *testing.T) {
	long := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
	for s, want := range map[string]bool{
		long[:43]: true, long: true, long + long[:62]: true, long[:42]: false, long + long[:63]: false,
		long[:42] + "=": false, long[:42] + "+": false, long[:42] + "é": false, long[:42] + " ": false, "": false,
	} {
		if verifier(s) != want {
			t.Errorf("%q: not %v", s, want)
		}
	}
}
