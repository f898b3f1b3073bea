package patient

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/identity"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/web/pages"
)

// A filter reads whole days in UTC; what cannot be read is told at its field
// and left out, and the patient is never the reader's choice.
func TestReadFilter(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	tests := []struct {
		query  string
		since  time.Time
		until  time.Time
		before time.Time
		faults []string
	}{
		{"", time.Time{}, time.Time{}, time.Time{}, nil},
		{"from=2026-11-20&to=2026-11-22", day(20), day(23).Add(-time.Microsecond), time.Time{}, nil},
		{"from=+2026-11-20+", day(20), time.Time{}, time.Time{}, nil},
		{"from=20.11.2026&to=2026-11-31", time.Time{}, time.Time{}, time.Time{}, []string{"from", "to"}},
		{"from=2026-11-22&to=2026-11-22", day(22), day(23).Add(-time.Microsecond), time.Time{}, nil},
		{"before=2026-11-20T00:00:00Z", time.Time{}, time.Time{}, day(20), nil},
		{"before=soon&patient=noah&tenant=other", time.Time{}, time.Time{}, time.Time{}, nil},
	}
	for _, test := range tests {
		q, err := url.ParseQuery(test.query)
		if err != nil {
			t.Fatal(err)
		}
		f, faults := readFilter(q, "t", "rosa")
		var fields []string
		for _, fault := range faults {
			if fault.Key != pages.ErrDate {
				t.Errorf("%s: %+v", test.query, fault)
			}
			fields = append(fields, fault.Field)
		}
		if !f.Since.Equal(test.since) || !f.Until.Equal(test.until) || !f.Before.Equal(test.before) || !slices.Equal(fields, test.faults) {
			t.Errorf("%s: %+v, faults at %v", test.query, f, fields)
		}
		if f.Tenant != "t" || f.Patient != "rosa" || f.Limit != pageSize+1 || !slices.Equal(f.Kinds, shownKinds) {
			t.Errorf("%s: %+v", test.query, f)
		}
	}
	q := url.Values{"person": {"p-1"}, "app": {"diary"}, "from": {"2026-11-20"}}
	if f, _ := readFilter(q, "t", "rosa"); f.PersonID != "p-1" || f.ClientID != "diary" {
		t.Errorf("%+v", f)
	}
	next, err := url.ParseQuery(older(q, day(21)))
	if err != nil || next.Get("before") != "2026-11-21T00:00:00Z" || next.Get("app") != "diary" || q.Has("before") {
		t.Errorf("%v", next)
	}
	if back := without(next, "before"); back != q.Encode() {
		t.Errorf("%s", back)
	}
}

// Each kind of event is told as an act, with its kinds of data and how many.
func TestEventsBecomeActs(t *testing.T) {
	observation := fhir.Reference{Type: "Observation", ID: "o1"}
	tests := []struct {
		event audit.Event
		act   pages.Act
		kinds []string
		count int
	}{
		{audit.Event{Kind: audit.FHIRRead, Action: "R", Resource: observation}, pages.ActLooked, []string{"Observation"}, 1},
		{audit.Event{Kind: audit.FHIRSearch, Count: 7, Resource: fhir.Reference{Type: "Observation"}, Delivered: []string{"Observation/a", "Patient/rosa", "Observation/b", "broken"}}, pages.ActLooked, []string{"Observation", "Patient"}, 7},
		{audit.Event{Kind: audit.FHIRWrite, Action: "C", Resource: observation}, pages.ActAdded, []string{"Observation"}, 1},
		{audit.Event{Kind: audit.FHIRWrite, Action: "U", Resource: observation}, pages.ActChanged, []string{"Observation"}, 1},
		{audit.Event{Kind: audit.FHIRWrite, Action: "D", Resource: observation}, pages.ActDeleted, []string{"Observation"}, 1},
		{audit.Event{Kind: audit.FHIRRefused, Resource: observation}, pages.ActLooked, []string{"Observation"}, -1},
		{audit.Event{Kind: audit.GrantCreated, Resource: observation}, pages.ActAllowed, nil, -1},
		{audit.Event{Kind: audit.GrantRevoked}, pages.ActEnded, nil, -1},
	}
	for _, test := range tests {
		var kinds []string
		for _, k := range kindsIn(test.event) {
			kinds = append(kinds, k.Type)
		}
		if act(test.event) != test.act || count(test.event) != test.count || !slices.Equal(kinds, test.kinds) {
			t.Errorf("%s %s: %v, %v, %d", test.event.Kind, test.event.Action, act(test.event), kinds, count(test.event))
		}
	}
}

// A connection is told by its kinds and actions, each once, with the topics.
func TestDescribe(t *testing.T) {
	tests := []struct {
		scopes  string
		kinds   []pages.KindRef
		actions []string
	}{
		{"openid launch/patient", nil, nil},
		{"patient/Observation.rs user/Observation.r patient/Condition.read", []pages.KindRef{{Type: "Observation"}, {Type: "Condition"}}, nil},
		{"patient/*.cruds", []pages.KindRef{{Type: "*"}}, []string{"*"}},
		{"patient/Observation.cud", nil, []string{"Observation"}},
		{"patient/Observation.rs?category=sys|lab,sys|vital", []pages.KindRef{{Type: "Observation", Category: "lab"}, {Type: "Observation", Category: "vital"}}, nil},
		{"patient/Observation.rs?code=sys|1", []pages.KindRef{{Type: "Observation", Query: true}}, nil},
		{"patient/Observation.rs?category=a|b&code=sys|1", []pages.KindRef{{Type: "Observation", Query: true}}, nil},
	}
	for _, test := range tests {
		kinds, actions := describe(oauth.Grant{Scopes: test.scopes})
		var types []string
		for _, a := range actions {
			types = append(types, a.Type)
		}
		if !slices.Equal(kinds, test.kinds) || !slices.Equal(types, test.actions) {
			t.Errorf("%s: %+v %+v", test.scopes, kinds, actions)
		}
	}
	if kinds, _ := describe(oauth.Grant{Scopes: "openid", Topics: []string{"HIV"}}); len(kinds) != 1 || kinds[0].Topic != "HIV" {
		t.Errorf("%+v", kinds)
	}
}

// What may only be written is not shown as seen, and a whole chart is said to
// be one.
func TestReadable(t *testing.T) {
	set := scope.Set{
		{Level: scope.Patient, Type: "Observation", Ops: scope.Read | scope.Search}, {Level: scope.Patient, Type: "Condition", Ops: scope.Read},
		{Level: scope.Patient, Type: "Observation", Ops: scope.Read}, {Level: scope.Patient, Type: "Appointment", Ops: scope.Create},
	}
	kinds, everything := readable(set)
	if !slices.Equal(kinds, []pages.KindRef{{Type: "Condition"}, {Type: "Observation"}}) || everything {
		t.Errorf("%+v %t", kinds, everything)
	}
	for i := range 30 {
		set = append(set, scope.Scope{Level: scope.Patient, Type: string(rune('A' + i)), Ops: scope.Read})
	}
	if _, everything := readable(set); !everything {
		t.Error("not everything")
	}
}

// Only a proofed link to a Patient is an own record.
func TestOwnPatient(t *testing.T) {
	patient := func(id string, verified bool) identity.Identity {
		return identity.Identity{Resource: fhir.Reference{Type: "Patient", ID: id}, Verified: verified}
	}
	for want, list := range map[string][]identity.Identity{
		"":      {patient("rosa", false), {Resource: fhir.Reference{Type: "RelatedPerson", ID: "re"}, Patient: "rosa", Verified: true}},
		"elena": {patient("rosa", false), patient("elena", true)},
	} {
		if got := ownPatient(identity.Person{Identities: list}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
