package flow_test

import (
	"errors"
	"testing"

	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
)

// A request of which only the answer is missing is carried by the browser, and
// answered once, in whichever way (SMART AZ-21).
func TestASettledRequestIsCarried(t *testing.T) {
	w := newWorld(t)
	w.carried = map[string]oauth.Pending{}
	rosa := w.rosa()
	p := w.begin(rosa)
	if p.Carried == "" || len(w.pendings) != 0 || len(w.events) != 1 {
		t.Fatalf("%q is stored: %v, %d events", p.Name(), w.pendings, len(w.events))
	}
	p, err := w.service.Load(t.Context(), tenant, p.Name(), rosa)
	if err != nil {
		t.Fatal(err)
	}
	p = w.at(p, rosa, flow.StepConsent)
	stranger := rosa
	stranger.Browser = "browser-2"
	if _, err := w.service.Load(t.Context(), tenant, p.Name(), stranger); !errs.Is(err, errs.NotFound) {
		t.Errorf("another browser: %v", err)
	}
	ticks := everything(w.offer(p, rosa))
	if to, err := w.service.Allow(t.Context(), p, rosa, ticks); err != nil || w.told(to).Get("code") == "" {
		t.Fatal(to, err)
	}
	if _, err := w.service.Allow(t.Context(), p, rosa, ticks); !errs.Is(err, errs.Conflict) || len(w.grants) != 1 {
		t.Errorf("answered again: %v", err)
	}
	if _, err := w.service.Deny(t.Context(), p, rosa); !errs.Is(err, errs.Conflict) {
		t.Errorf("denied afterwards: %v", err)
	}
	if _, err := w.service.Load(t.Context(), tenant, p.Name(), rosa); !errs.Is(err, errs.NotFound) {
		t.Errorf("an answered request is shown: %v", err)
	}
}

// One that changes after all is stored, and known by its ID from then on.
func TestACarriedRequestThatChangesIsStored(t *testing.T) {
	w := newWorld(t)
	w.carried = map[string]oauth.Pending{}
	p := w.begin(w.rosa())
	noah := w.person("noah", identity.RolePatient, "Patient/noah")
	p = w.at(p, noah, flow.StepConsent)
	if p.Carried != "" || w.pendings[p.ID].PersonID != noah.Person.ID || p.Capacity.Patient != "noah" {
		t.Errorf("%+v", p)
	}
	if p := w.begin(flow.Visitor{Browser: "browser-1"}); p.Carried != "" || w.pendings[p.ID].ID != p.ID {
		t.Errorf("a request of nobody is carried: %+v", p)
	}
	w.fails = "carry"
	if _, err := w.service.Start(t.Context(), tenant, request(), w.rosa()); !errors.Is(err, errStore) {
		t.Error(err)
	}
}
