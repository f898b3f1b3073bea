package view_test

import (
	"testing"
	"time"

	"github.com/mandate-health/mandate/fhir/view"
	"github.com/mandate-health/mandate/internal/errs"
)

// SMART TRP-21: what was not shown is not taken away by writing back.
func TestLabelsSurviveAWrite(t *testing.T) {
	prior := `{"resourceType":"Observation","meta":{"versionId":"1","security":[{"system":"s","code":"HIV","display":"d"},{"system":"s","code":"R"}]}}`
	for name, c := range map[string]struct{ next, want string }{
		"no meta":      {`{"resourceType":"Observation"}`, `{"resourceType":"Observation","meta":{"security":[{"system":"s","code":"HIV","display":"d"},{"system":"s","code":"R"}]}}`},
		"one is there": {`{"meta":{"security":[{"code":"R","system":"s"}]},"resourceType":"Observation"}`, `{"meta":{"security":[{"code":"R","system":"s"},{"system":"s","code":"HIV","display":"d"}]},"resourceType":"Observation"}`},
		"all there":    {prior, prior},
		"one more":     {`{"resourceType":"Observation","meta":{"security":[{"system":"x","code":"Y"}]}}`, `{"resourceType":"Observation","meta":{"security":[{"system":"x","code":"Y"},{"system":"s","code":"HIV","display":"d"},{"system":"s","code":"R"}]}}`},
	} {
		got, err := view.KeepLabels([]byte(prior), []byte(c.next))
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, c.want)
		}
	}
	if _, err := view.KeepLabels([]byte(prior), []byte(`{"a":1,"a":2}`)); err == nil {
		t.Error("a repeated member was taken")
	}
}

func TestSetAndJoin(t *testing.T) {
	list, err := view.Members([]byte(`{"a":1,"b":{"c":[ 2 ]}}`))
	if err != nil {
		t.Fatal(err)
	}
	out := view.Join(view.Set(view.Set(list, "a", view.Quote(`x"y`)), "d", []byte("true")))
	if string(out) != `{"a":"x\"y","b":{"c":[ 2 ]},"d":true}` || string(view.Value(list, "a")) != "1" || view.Value(list, "z") != nil {
		t.Errorf("%s", out)
	}
}

// A stored version differs from what was sent only in id, version and time.
func TestStampKeepsTheRest(t *testing.T) {
	at := time.Date(2026, 11, 20, 6, 0, 0, 5e6, time.FixedZone("", -6*3600))
	for raw, want := range map[string]string{
		`{"resourceType":"X","n":1.50}`:                          `{"resourceType":"X","id":"a","meta":{"versionId":"3","lastUpdated":"2026-11-20T12:00:00.005Z"},"n":1.50}`,
		`{"id":"b","meta":{"versionId":"9","tag":[]},"n":"a&b"}`: `{"id":"a","meta":{"lastUpdated":"2026-11-20T12:00:00.005Z","versionId":"3","tag":[]},"n":"a&b"}`,
	} {
		got, err := view.Stamp([]byte(raw), "a", 3, at)
		if err != nil || string(got) != want {
			t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
		}
	}
	for _, bad := range []string{"", "[]", `{"a"`, `{"meta":[]}`, `{"id":"a","id":"b"}`} {
		if _, err := view.Stamp([]byte(bad), "a", 1, at); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
