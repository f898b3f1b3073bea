package flow_test

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/oauth/flow"
)

// RFC 9470 §4: acr_values asks for the weakest level that it names and that is
// known; what the client registered stands in for what the request leaves out.
func TestLevelsAndAges(t *testing.T) {
	two := string(identity.AAL2)
	for _, test := range []struct {
		name, asked string
		defaults    []string
		want        flow.Step
	}{
		{"nothing asked", "", nil, flow.StepConsent},
		{"two factors", two, nil, flow.StepSecondFactor},
		{"either", two + " " + string(identity.AAL1), nil, flow.StepConsent},
		{"unknown levels", "phr urn:other", nil, flow.StepConsent},
		{"two factors and unknown", "phr " + two, nil, flow.StepSecondFactor},
		{"registered", "", []string{two}, flow.StepSecondFactor},
		{"registered and overruled", string(identity.AAL1), []string{two}, flow.StepConsent},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			c := w.clients["diary"]
			c.DefaultACR = test.defaults
			w.clients["diary"] = c
			rosa := w.rosa()
			p, err := w.service.Start(t.Context(), tenant, request("acr_values", test.asked), rosa)
			if err != nil {
				t.Fatal(err)
			}
			w.at(p, rosa, test.want)
		})
	}
	w := newWorld(t)
	c := w.clients["diary"]
	c.DefaultMaxAge = 60
	w.clients["diary"] = c
	rosa := w.rosa()
	w.clock.now = start.Add(2 * time.Minute)
	for asked, want := range map[string]flow.Step{"": flow.StepSignIn, "3600": flow.StepConsent} {
		p, err := w.service.Start(t.Context(), tenant, request("max_age", asked), rosa)
		if err != nil {
			t.Fatal(err)
		}
		w.at(p, rosa, want)
	}
}
