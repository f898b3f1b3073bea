package consent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

const medicinesTemplate = "https://portal.example.org/policy/proxy/template/meds-appointments/1"

// many files n grants of the example's template and one of another, for as many
// patients.
func many(t *testing.T, s *Service, n int) {
	t.Helper()
	all := examples(t)
	for i := range n {
		raw := strings.ReplaceAll(string(all["e1-daughter-meds-appts"]), "Patient/rosa", fmt.Sprintf("Patient/rosa%d", i))
		raw = strings.ReplaceAll(raw, "e1-daughter-meds-appts", fmt.Sprintf("e1-%03d", i))
		if _, err := s.File(t.Context(), Filing{Tenant: tenant, ID: fmt.Sprintf("e1-%03d", i), Raw: []byte(raw)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.File(t.Context(), Filing{Tenant: tenant, ID: "e2-husband-full-normal", Raw: all["e2-husband-full-normal"]}); err != nil {
		t.Fatal(err)
	}
}

// LC-26, SC-21, TF-25: a withdrawn template ends every grant made from it and no
// other, with an event each; a new one under it is refused; progress is told.
func TestWithdrawnTemplateEndsItsGrants(t *testing.T) {
	s, m := service(t)
	many(t, s, campaignStep+20)
	var told []Campaign
	c, err := s.WithdrawPolicy(t.Context(), tenant, medicinesTemplate, audit.Event{PersonID: "officer"}, func(c Campaign) { told = append(told, c) })
	if err != nil || !c.Done || c.Checked != campaignStep+21 || c.Ended != campaignStep+20 {
		t.Fatalf("%+v %v", c, err)
	}
	if len(told) != 2 || told[0].Done || told[0].Ended != campaignStep || !told[1].Done {
		t.Errorf("%+v", told)
	}
	if left, err := m.ActiveGrants(t.Context(), tenant, "", 10); err != nil || len(left) != 1 || left[0].ID != "e2-husband-full-normal" {
		t.Errorf("%v %v", left, err)
	}
	events := 0
	for _, e := range m.events {
		if e.Kind == audit.ConsentWithdrawn && e.PersonID == "officer" && e.Detail["policy"] == medicinesTemplate {
			events++
		}
	}
	if events != c.Ended {
		t.Errorf("%d events of %d", events, c.Ended)
	}
	again := Filing{Tenant: tenant, ID: "again", Raw: []byte(strings.ReplaceAll(string(examples(t)["e1-daughter-meds-appts"]), `"e1-daughter-meds-appts"`, `"again"`))}
	if _, err := s.File(t.Context(), again); !errs.Is(err, errs.Unprocessable) || !strings.Contains(err.Error(), "Consent.policy.uri") {
		t.Errorf("filed under a withdrawn template: %v", err)
	}
	again.Tenant = "another"
	if _, err := s.File(t.Context(), again); err != nil {
		t.Errorf("another tenant: %v", err)
	}
}

// LC-26: what was interrupted goes on where it stopped, with nothing half done and
// nothing done twice.
func TestWithdrawalGoesOn(t *testing.T) {
	s, m := service(t)
	many(t, s, campaignStep+20)
	ctx, stop := context.WithCancel(t.Context())
	if _, err := s.WithdrawPolicy(ctx, tenant, medicinesTemplate, audit.Event{}, func(Campaign) { stop() }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	m.auditErr = errors.New("the log is full")
	half, err := s.WithdrawPolicy(t.Context(), tenant, medicinesTemplate, audit.Event{}, nil)
	if err == nil || half.Ended != campaignStep {
		t.Fatalf("%+v %v", half, err)
	}
	m.auditErr = nil
	steps := m.steps
	c, err := s.WithdrawPolicy(t.Context(), tenant, medicinesTemplate, audit.Event{}, nil)
	if err != nil || !c.Done || c.Checked != campaignStep+21 || c.Ended != campaignStep+20 || m.steps != steps+1 {
		t.Errorf("%+v %v in %d steps", c, err, m.steps-steps)
	}
	for name, all := range m.versions {
		if len(all) > 2 {
			t.Errorf("%s has %d versions", name, len(all))
		}
	}
	if c, err = s.WithdrawPolicy(t.Context(), tenant, medicinesTemplate, audit.Event{}, nil); err != nil || c.Checked != 1 || c.Ended != 0 {
		t.Errorf("again: %+v %v", c, err)
	}
	for _, uri := range []string{"", "https://elsewhere.example/policy/1", "https://portal.example.org/policy/"} {
		if _, err := s.WithdrawPolicy(t.Context(), tenant, uri, audit.Event{}, nil); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", uri, err)
		}
	}
}
