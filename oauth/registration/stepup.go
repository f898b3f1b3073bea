package registration

import (
	"slices"

	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/oauth"
)

// maxLogInAge is the greatest age of a log-in that can be asked for, in seconds.
const maxLogInAge = 366 * 24 * 3600

// checkLogIns judges what a client says about the log-ins of its people.
func checkLogIns(c oauth.Client, f *Faults) {
	unknown := func(acr string) bool { return acr != "" && !slices.Contains(identity.Levels(), identity.Level(acr)) }
	if slices.ContainsFunc(c.DefaultACR, unknown) {
		f.add("default_acr_values", "may hold urn:mandate:aal:1, urn:mandate:aal:2 and urn:mandate:aal:3")
	}
	if c.DefaultMaxAge < 0 || c.DefaultMaxAge > maxLogInAge {
		f.add("default_max_age", "must be a number of seconds, at most a year")
	}
	for _, s := range c.StepUp {
		parsed, err := scope.Parse(s.Scope, scope.Limits{})
		switch {
		case s.Scope != "" && (err != nil || len(parsed.Clinical) == 0):
			f.add("step_up", "must name its requests by scopes such as patient/*.cud")
		case s.ACR == "" && s.MaxAge == 0 || unknown(s.ACR) || s.MaxAge < 0 || s.MaxAge > maxLogInAge:
			f.add("step_up", "must ask for acr_values (urn:mandate:aal:1 to urn:mandate:aal:3), max_age (seconds), or both")
		}
	}
}
