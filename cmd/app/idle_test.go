package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// A client that nobody uses is marked for everybody to see, then disabled, and
// never deleted. One that is used, or to which a grant stands, is left alone.
//
// long: one story of three clients over half a year.
func TestIdleClientsAreMarkedThenDisabled(t *testing.T) {
	const day = 24 * time.Hour
	s := start(t, func(c *app.Config) { c.Registration.IdleAfter, c.Registration.IdleGrace = 100*day, 30*day })
	wait := func(d time.Duration) {
		t.Helper()
		if err := s.Advance(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	state := func(id string) (status, why, since string) {
		t.Helper()
		var seen struct {
			Status string `json:"registration_status"`
			Why    string `json:"status_reason"`
			Idle   string `json:"idle_since"`
		}
		s.admin(t, "GET", "/clients/"+id, "", &seen)
		return seen.Status, seen.Why, seen.Idle
	}
	becomes := func(id string, want func() bool) {
		t.Helper()
		deadline := time.After(startDeadline)
		tick := time.NewTicker(pollEvery)
		defer tick.Stop()
		for !want() {
			select {
			case <-deadline:
				t.Fatal(id, " stayed as it was")
			case <-tick.C:
			}
		}
	}
	var forgotten card
	s.admin(t, "POST", "/clients", asks, &forgotten)
	granted := s.Client("public").ID
	g := s.granted(t, kit.Launch{Client: s.Client("public"), Scope: "launch/patient offline_access patient/*.rs", Visit: kit.Visit{Person: "noah"}})
	wait(80 * day)
	s.refreshed(t, g, g.RefreshToken(), http.StatusOK)
	// The service works on, and is noted.
	backend := s.Client("backend")
	if res, err := s.ClientCredentials(t.Context(), backend, "system/Patient.rs"); err != nil || res.Status != http.StatusOK {
		t.Fatal(res, err)
	}
	becomes(backend.ID, func() bool {
		_, out, _ := cli(t, "client", "list", "--data", s.data)
		for _, line := range strings.Split(out, "\n") {
			if cells := strings.Fields(line); len(cells) > 5 && cells[0] == backend.ID {
				return cells[4] != "-"
			}
		}
		return false
	})
	wait(25 * day)
	becomes(forgotten.ID, func() bool { _, _, since := state(forgotten.ID); return since != "" })
	if status, _, _ := state(forgotten.ID); status != "approved" {
		t.Errorf("a marked client is %s", status)
	}
	if _, out, _ := cli(t, "client", "list", "--idle", "--data", s.data); !strings.Contains(out, forgotten.ID) || strings.Contains(out, backend.ID+" ") {
		t.Error(out)
	}
	wait(31 * day)
	becomes(forgotten.ID, func() bool {
		status, why, _ := state(forgotten.ID)
		return status == "disabled" && why == "client-idle"
	})
	for _, id := range []string{granted, backend.ID} {
		if status, _, _ := state(id); status != "approved" {
			t.Errorf("%s is %s", id, status)
		}
	}
	var reasons []string
	for _, e := range s.events(t, "client_id="+forgotten.ID) {
		reasons = append(reasons, e.Reason)
	}
	if told := strings.Join(reasons, " "); !strings.HasPrefix(told, "client-idle client-idle-marked") {
		t.Errorf("the log tells %q", told)
	}
}
