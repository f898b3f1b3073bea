package oauth_test

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/oauth"
)

// RFC 9470 §3: the rules about a request are joined to the strictest demand,
// and a log-in meets it or does not.
func TestDemands(t *testing.T) {
	c := oauth.Client{StepUp: []oauth.StepUp{
		{Scope: "patient/*.cud", ACR: string(identity.AAL2)},
		{Scope: "patient/Observation.rs", ACR: string(identity.AAL1), MaxAge: 600},
		{Scope: "user/Observation.cruds", MaxAge: 60},
	}}
	for _, test := range []struct {
		typ  string
		op   scope.Ops
		want oauth.Demand
	}{
		{"Patient", scope.Read, oauth.Demand{}},
		{"Patient", scope.Update, oauth.Demand{ACR: identity.AAL2}},
		{"Observation", scope.Search, oauth.Demand{ACR: identity.AAL1, MaxAge: time.Minute}},
		{"Observation", scope.Create, oauth.Demand{ACR: identity.AAL2, MaxAge: time.Minute}},
		{"", scope.Read | scope.Search, oauth.Demand{ACR: identity.AAL1, MaxAge: time.Minute}},
	} {
		if got := c.Demands(test.typ, test.op); got != test.want {
			t.Errorf("%s.%s: %+v, want %+v", test.typ, test.op, got, test.want)
		}
	}
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	d := oauth.Demand{ACR: identity.AAL2, MaxAge: time.Minute}
	for name, test := range map[string]struct {
		grant oauth.Grant
		met   bool
	}{
		"fresh and strong": {oauth.Grant{ACR: string(identity.AAL2), AuthTime: now.Add(-time.Minute)}, true},
		"too old":          {oauth.Grant{ACR: string(identity.AAL2), AuthTime: now.Add(-61 * time.Second)}, false},
		"too weak":         {oauth.Grant{ACR: string(identity.AAL1), AuthTime: now}, false},
		"without level":    {oauth.Grant{AuthTime: now}, false},
		"for itself":       {oauth.Grant{Capacity: fhir.Capacity{Kind: fhir.CapacitySystem}}, true},
	} {
		if d.Met(test.grant, now) != test.met {
			t.Error(name)
		}
	}
	if got := d.Challenge(); got != `, acr_values="urn:mandate:aal:2", max_age="60"` {
		t.Error(got)
	}
}
