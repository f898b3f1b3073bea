package gateway_test

import (
	"slices"
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/web/gateway"
)

func (w *world) modes(set map[string]string) {
	w.t.Helper()
	m, err := access.ParseModes(set)
	if err != nil {
		w.t.Fatal(err)
	}
	w.deps.Modes = m
	w.rebuild()
}

// A rule that is audited lets pass, and the event of the request says what it
// would have refused; one that is enforced says nothing.
func TestAuditedRuleIsReported(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	w.get("rosa", "/Observation/hiv").want(404)
	if got := w.log.last().Detail[gateway.WouldDeny]; got != "" {
		t.Errorf("an enforced rule told %q", got)
	}
	w.modes(map[string]string{"label": "audit"})
	w.get("rosa", "/Observation/hiv").want(200)
	if got := w.log.last().Detail[gateway.WouldDeny]; got != "label:topic-not-shared" {
		t.Errorf("the event tells %q", got)
	}
	if ids := w.get("rosa", "/Observation?_count=50").want(200).ids(); !slices.Contains(ids, "Observation/hiv") || slices.Contains(ids, "Observation/ines-lab") {
		t.Errorf("%v", ids)
	}
	if got := w.log.last().Detail[gateway.WouldDeny]; got != "label:topic-not-shared" {
		t.Errorf("the event of a search tells %q", got)
	}
	w.get("rosa", "/Observation/lab").want(200)
	if got := w.log.last().Detail[gateway.WouldDeny]; got != "" {
		t.Errorf("the event of an ordinary read tells %q", got)
	}
	w.modes(map[string]string{"label": "off"})
	w.get("rosa", "/Observation/hiv").want(200)
	if got := w.log.last().Detail[gateway.WouldDeny]; got != "" {
		t.Errorf("a rule that is off told %q", got)
	}
}

// An audited request rule lets the request through, and the registers that
// Mandate keeps itself are judged by every rule nevertheless.
func TestModesSpareOwnRegisters(t *testing.T) {
	w := newWorld(t)
	w.token("rosa", "patient/Observation.rs", self("rosa"))
	w.modes(map[string]string{"scope": "audit", "parameter": "audit"})
	w.get("rosa", "/Condition/cancer").want(200)
	if got := w.log.last().Detail[gateway.WouldDeny]; got != "scope:no-scope scope:outside-scope" {
		t.Errorf("the event tells %q", got)
	}
	w.get("rosa", "/Consent").want(403)
	w.get("rosa", "/Observation/ines-lab").want(404)
}
