package flight_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/oauth/flight"
)

// everything is an event with a canary in each field that may hold health data.
func everything(kind audit.Kind) audit.Event {
	return audit.Event{
		ID: "canary", Tenant: "default", Time: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), Kind: kind, Outcome: audit.MinorFailure,
		Reason: "scope-unknown", PersonID: "canary", ClientID: "app", SessionID: "canary", Patient: "canary",
		Capacity: fhir.Capacity{Patient: "canary", Acting: fhir.Reference{Type: "RelatedPerson", ID: "canary"}, Purpose: "canary"},
		Resource: fhir.Reference{Type: "Observation", ID: "canary"}, ResourceVersion: "canary", Query: "name=canary",
		Delivered: []string{"Patient/canary"}, GrantID: "canary", Consents: []string{"Consent/canary/_history/1"},
		TokenID: "canary", Network: "canary", RequestID: "r1",
		Detail: map[string]string{
			"username_hash": "canary", "grant_type": "refresh_token", "method": "private_key_jwt", "app": "canary", "user": "canary",
			"scope": "openid patient/Patient.rs?family=canary patient/Observation.rs?category=laboratory \u00e9canary",
			"explained": access.Explained([]access.Explanation{
				{Scope: "patient/Patient.r?name:exact=canary&code=a|b", Code: access.WhyParameter, Became: []string{"patient/Patient.r?_id=canary"}},
				{Scope: strings.Repeat("canary", 40), Code: access.WhyUnknown},
			}),
		},
	}
}

// The whole of what a developer sees is named: nothing else of an event, and no
// value that could say something of a person.
func TestNoHealthDataInARecord(t *testing.T) {
	r, ok := flight.Of(everything(audit.TokenRefused))
	if !ok {
		t.Fatal("no record")
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"request_id":"r1","at":"2026-01-31T12:00:00Z","act":"token.refused","outcome":"refused","cause":"scope-unknown",` +
		`"grant_type":"refresh_token","client_authentication":"private_key_jwt","type":"Observation",` +
		`"scopes":["openid","patient/Patient.rs?family=…","patient/Observation.rs?category=laboratory","(not shown)"],` +
		`"explained":[{"scope":"patient/Patient.r?name:exact=…\u0026code=a|b","code":"scope-parameter-unsupported","became":["patient/Patient.r?_id=…"]},` +
		`{"scope":"(not shown)","code":"scope-unknown"}]}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}

func TestWhatMakesARecord(t *testing.T) {
	for _, c := range []struct {
		kind    audit.Kind
		outcome audit.Outcome
		client  string
		want    string
	}{
		{audit.TokenIssued, audit.Success, "app", flight.Granted},
		{audit.GrantCreated, audit.Success, "app", flight.Granted},
		{audit.FHIRRead, audit.Success, "app", ""},
		{audit.FHIRRefused, audit.MinorFailure, "app", flight.Refused},
		{audit.FHIRSearch, audit.SeriousFailure, "app", flight.Failed},
		{audit.ClientChanged, audit.Success, "app", ""},
		{audit.TokenRefused, audit.MinorFailure, "", ""},
	} {
		e := everything(c.kind)
		e.Outcome, e.ClientID = c.outcome, c.client
		r, ok := flight.Of(e)
		if ok != (c.want != "") || ok && (r.Outcome != c.want || (r.Cause == "") != (c.want == flight.Granted)) {
			t.Errorf("%+v: %t %+v", c, ok, r)
		}
	}
}

// kept is a store in memory, for the bounds of a recorder.
type kept struct{ records []flight.Record }

func (k *kept) AddRecords(_ context.Context, records []flight.Record) error {
	k.records = append(k.records, records...)
	return nil
}

func (k *kept) Records(context.Context, string, string, int) ([]flight.Record, error) {
	return k.records, nil
}

// A client that fails in a loop keeps its latest requests and costs another
// client none; ids that nobody registered are not stored.
func TestShares(t *testing.T) {
	st := &kept{}
	known := func(_ context.Context, tenant, id string) bool { return tenant == "default" && id != "made-up" }
	r := flight.New(flight.Deps{Store: st, Known: known, Log: slog.New(slog.DiscardHandler)})
	e := everything(audit.TokenRefused)
	for i := range 100 {
		e.ClientID, e.RequestID = "loop", strings.Repeat("i", i%50+1)
		r.Observe([]audit.Event{e})
	}
	for _, id := range []string{"made-up", "app"} {
		e.ClientID = id
		r.Observe([]audit.Event{e})
	}
	all, err := r.Recent(t.Context(), "default", "loop", 100)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	longest := ""
	for _, one := range all {
		count[one.ClientID]++
		longest = max(longest, one.RequestID)
	}
	if count["app"] != 1 || count["made-up"] != 0 || count["loop"] != 20 || len(longest) != 50 {
		t.Error(count, len(longest))
	}
}
