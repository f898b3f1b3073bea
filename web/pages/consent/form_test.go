package consent

import (
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/fhir/scope"
	"github.com/mandate-health/mandate/oauth"
	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/web/pages"
)

// offer is a page with two kinds, the rest, a topic and an action.
func offer() flow.Offer {
	return flow.Offer{
		Client: oauth.Client{ID: "diary", Name: "Diary"},
		Kinds: []flow.Kind{
			{Type: "Observation", Required: "It draws your blood pressure.", Categories: []flow.Category{
				{Coding: fhir.Coding{System: "sys", Code: "laboratory"}}, {Coding: fhir.Coding{System: "sys", Code: "vital-signs"}},
			}},
			{Type: "Condition"}, {Type: scope.AnyType},
		},
		Topics:  []flow.Topic{{Topic: access.TopicHIV, Count: 2}},
		Actions: []flow.Action{{Type: "Observation", Ops: scope.Create}, {Type: scope.AnyType, Ops: scope.Create | scope.Update, Required: "It saves."}},
		// The maker's choice is offered, the person's is made.
		KeepAsked: true, KeepOffered: true,
	}
}

// read posts an answer.
func read(o flow.Offer, answer string) (form, []pages.FieldError) {
	r := httptest.NewRequest("POST", "/", strings.NewReader(answer))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return readForm(r, o)
}

// SMART AZ-21, US-10: what a posted form becomes; fields beside the offer are
// not looked at.
func TestFormBecomesTicks(t *testing.T) {
	tests := []struct {
		name, answer string
		kinds        map[string][]string
		actions      []string
		topics       []string
		keep         flow.Keep
	}{
		{"one kind", "kind.Condition=on", map[string][]string{"Condition": nil}, nil, nil, flow.KeepVisit},
		{"whole kind", "kind.Observation=on&kind.Observation.how=all", map[string][]string{"Observation": nil}, nil, nil, flow.KeepVisit},
		{"categories", "kind.Observation=on&kind.Observation.how=only&cat.Observation.laboratory=on", map[string][]string{"Observation": {"sys|laboratory"}}, nil, nil, flow.KeepVisit},
		{"categories of an unticked kind", "kind.Condition=on&kind.Observation.how=only&cat.Observation.laboratory=on", map[string][]string{"Condition": nil}, nil, nil, flow.KeepVisit},
		{"the rest", "kind.rest=on", map[string][]string{"*": nil}, nil, nil, flow.KeepVisit},
		{"actions alone", "act.Observation=on&act.any=on", map[string][]string{}, []string{"Observation", "*"}, nil, flow.KeepVisit},
		{"topic", "kind.Condition=on&topic.HIV=on", map[string][]string{"Condition": nil}, nil, []string{"HIV"}, flow.KeepVisit},
		{"kept", "kind.Condition=on&keep=on&keep_for=1w", map[string][]string{"Condition": nil}, nil, nil, flow.KeepWeek},
		{"kept without a period", "kind.Condition=on&keep=on", map[string][]string{"Condition": nil}, nil, nil, flow.KeepQuarter},
		{"kept for ever", "kind.Condition=on&keep=on&keep_for=ever", map[string][]string{"Condition": nil}, nil, nil, flow.KeepQuarter},
		{"a period without keep", "kind.Condition=on&keep_for=1y", map[string][]string{"Condition": nil}, nil, nil, flow.KeepVisit},
		{"not offered", "kind.Condition=on&kind.Goal=on&kind.*=on&cat.Condition.x=on&topic.SUD=on&act.Goal=on", map[string][]string{"Condition": nil}, nil, nil, flow.KeepVisit},
		{"other values", "kind.Condition=on&kind.Observation=yes&act.any=1", map[string][]string{"Condition": nil}, nil, nil, flow.KeepVisit},
	}
	for _, test := range tests {
		f, faults := read(offer(), test.answer)
		if len(faults) != 0 {
			t.Errorf("%s: %v", test.name, faults)
		}
		got := f.ticks("h")
		same := len(got.Kinds) == len(test.kinds) && got.Handle == "h" && got.Keep == test.keep &&
			slices.Equal(got.Actions, test.actions) && slices.Equal(got.Topics, test.topics)
		for typ, categories := range test.kinds {
			have, ok := got.Kinds[typ]
			same = same && ok && slices.Equal(have, categories) && (have == nil) == (categories == nil)
		}
		if !same {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

// What a person must mend is told at its field, and nothing is granted.
func TestFormFaults(t *testing.T) {
	tests := []struct{ name, answer, field, key string }{
		{"nothing", "", "", pages.ErrNothingTicked},
		{"a topic alone", "topic.HIV=on", "", pages.ErrNothingTicked},
		{"only, but none", "kind.Observation=on&kind.Observation.how=only", "kind.Observation", pages.ErrNoCategory},
		{"all and some", "kind.Observation=on&kind.Observation.how=all&cat.Observation.laboratory=on", "kind.Observation", pages.ErrAllOrOnly},
	}
	for _, test := range tests {
		_, faults := read(offer(), test.answer)
		if len(faults) != 1 || faults[0].Field != test.field || faults[0].Key != test.key {
			t.Errorf("%s: %+v", test.name, faults)
		}
	}
	o := offer()
	o.Kinds, o.Actions = nil, nil
	if _, faults := read(o, ""); len(faults) != 0 {
		t.Errorf("a request for an identity alone: %v", faults)
	}
	o.KeepOffered = false
	if f, _ := read(o, "keep=on&keep_for=1y"); f.ticks("").Keep != flow.KeepVisit {
		t.Error("kept what was not offered")
	}
}

// SMART US-12: as first shown, ordinary kinds are ticked, sensitive topics and
// actions are not, but for those the maker needs.
func TestUntouchedForm(t *testing.T) {
	f := untouched(offer())
	ticks := f.ticks("")
	if len(ticks.Kinds) != 3 || len(ticks.Topics) != 0 || !slices.Equal(ticks.Actions, []string{"*"}) || ticks.Keep != flow.KeepQuarter {
		t.Errorf("%+v", ticks)
	}
	if left := f.leftOut(offer()); len(left) != 0 {
		t.Errorf("%v", left)
	}
	f, _ = read(offer(), "kind.Condition=on")
	if left := f.leftOut(offer()); len(left) != 1 || left[0].Type != "Observation" || left[0].Reason == "" {
		t.Errorf("%+v", left)
	}
}

// The page that asks once more repeats the answer, but neither its token nor
// its button.
func TestPostedIsRepeated(t *testing.T) {
	r := httptest.NewRequest("POST", "/", nil)
	r.PostForm = url.Values{"csrf": {"t"}, "answer": {"allow"}, "handle": {"h"}, "kind.Condition": {"on"}}
	got := posted(r)
	if len(got) != 2 || got[0] != (pages.Hidden{Name: "handle", Value: "h"}) || got[1] != (pages.Hidden{Name: "kind.Condition", Value: "on"}) {
		t.Errorf("%+v", got)
	}
}
