package oauth

import (
	"slices"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/identity"
)

// StepUp says that some requests of a client need a stronger or a more recent
// log-in of the person than others (RFC 9470).
type StepUp struct {
	// Scope names the requests as a SMART scope does, such as patient/*.cud;
	// empty means all.
	Scope string `json:"scope,omitempty"`
	// ACR is the least level of the log-in, MaxAge its greatest age in seconds;
	// empty and zero ask for nothing.
	ACR    string `json:"acr_values,omitempty"`
	MaxAge int64  `json:"max_age,omitempty"`
}

// covers reports whether the rule is about an operation on a type; "" stands
// for requests about several types.
func (s StepUp) covers(typ string, op scope.Ops) bool {
	if s.Scope == "" {
		return true
	}
	asked, err := scope.Parse(s.Scope, scope.Limits{})
	if err != nil {
		// Such a rule is not registered; if it is there, it counts for all.
		return true
	}
	return slices.ContainsFunc(asked.Clinical, func(c scope.Scope) bool {
		return c.Ops&op != 0 && (c.Type == scope.AnyType || c.Type == typ || typ == "")
	})
}

// Demand is what requests need of the log-in behind a grant.
type Demand struct {
	ACR identity.Level
	// MaxAge is zero when any age will do.
	MaxAge time.Duration
}

// Demands joins the client's rules about an operation on a type.
func (c Client) Demands(typ string, op scope.Ops) Demand {
	var d Demand
	for _, rule := range c.StepUp {
		if !rule.covers(typ, op) {
			continue
		}
		d.ACR = max(d.ACR, identity.Level(rule.ACR))
		if age := time.Duration(rule.MaxAge) * time.Second; age > 0 && (d.MaxAge == 0 || age < d.MaxAge) {
			d.MaxAge = age
		}
	}
	return d
}

// Met reports whether the log-in of a grant suffices at t. A client that acts
// for itself has no person who could log in.
func (d Demand) Met(g Grant, t time.Time) bool {
	if g.Capacity.Kind == fhir.CapacitySystem {
		return true
	}
	return identity.Level(g.ACR).Reaches(d.ACR) && (d.MaxAge == 0 || t.Sub(g.AuthTime) <= d.MaxAge)
}

// Error makes a demand the cause of a refusal.
func (d Demand) Error() string { return "a stronger or more recent log-in is needed" }

// Challenge gives the parameters of the WWW-Authenticate header with which the
// app asks for such a log-in (RFC 9470 §3).
func (d Demand) Challenge() string {
	out := ""
	if d.ACR != "" {
		out += `, acr_values="` + string(d.ACR) + `"`
	}
	if d.MaxAge > 0 {
		out += `, max_age="` + strconv.FormatInt(int64(d.MaxAge/time.Second), 10) + `"`
	}
	return out
}
