package call

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/problem"
	"github.com/mandate-health/mandate/web/route"
)

// If-Match names the version that the caller last saw; anything else it could
// mean is refused, so that no change is lost.
func TestIfMatch(t *testing.T) {
	for tag, want := range map[string]int{
		`W/"3"`: 3, `"12"`: 12, "7": 7, `W/"x"`: -1, "*": -1, `W/"0"`: -1, `W/"-1"`: -1, `W/"1", W/"2"`: -1, `""`: -1,
	} {
		in := &In[route.Empty, route.Empty]{}
		var err error
		version := 0
		if in.Match, err = versionOf(tag); err == nil {
			version, err = in.Version()
		}
		if want < 0 && !errs.Is(err, errs.Invalid) || want >= 0 && (err != nil || version != want) {
			t.Errorf("%s: %d %v", tag, version, err)
		}
	}
	if version, err := (&In[route.Empty, route.Empty]{}).Version(); version != 0 || err != nil {
		t.Errorf("none: %d %v", version, err)
	}
}

type everything struct {
	Must  string    `json:"must"`
	Texts []string  `json:"texts,omitempty"`
	Count int64     `json:"count,omitempty"`
	Flag  bool      `json:"flag,omitempty"`
	Time  time.Time `json:"time,omitzero"`
}

// Parameters are read as they are declared, and nothing else is taken.
func TestParametersAreReadStrictly(t *testing.T) {
	at := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	for raw, want := range map[string]string{
		"must=a&texts=b&texts=c&count=3&flag=true&time=2026-01-31T12:00:00Z": "",
		"": "parameter-missing", "must=": "parameter-malformed", "must=a&must=b": "parameter-repeated", "must=a&other=b": "parameter-unknown",
		"must=a&count=0": "parameter-malformed", "must=a&count=x": "parameter-malformed", "must=a&flag=2": "parameter-malformed",
		"must=a&time=now": "parameter-malformed", "must=%zz": "parameter-malformed", "must=a;b": "parameter-malformed",
		"must=a&" + strings.Repeat("x", 4000) + "=1": "parameter-unknown",
	} {
		var got everything
		err := readQuery(raw, &got)
		if want == "" {
			if err != nil || !reflect.DeepEqual(got, everything{"a", []string{"b", "c"}, 3, true, at}) {
				t.Errorf("%s: %+v %v", raw, got, err)
			}
			continue
		}
		if e := errs.As(err); e == nil || e.Code != want || len(e.Msg) > 200 {
			t.Errorf("%s: %v", raw, err)
		}
	}
	var odd struct {
		Float float64 `json:"float,omitempty"`
	}
	if err := readQuery("float=1", &odd); !errs.Is(err, errs.Internal) {
		t.Errorf("a type that nobody reads: %v", err)
	}
}

// A body is read strictly and is not too large; a resource stays as it stands.
func TestBodies(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":1}`: "", `{"b":1}`: "body-malformed", `{"a":1}{"a":2}`: "json-malformed", `[`: "json-malformed", ``: "json-malformed", `{"a":"1"}`: "body-malformed",
		`{"a":1,"c":"` + strings.Repeat("x", maxBody) + `"}`: "body-too-large", `{"a":1,"A":2}`: "json-duplicate-key",
		strings.Repeat("[", 1000): "json-depth",
	} {
		var into struct {
			A int `json:"a"`
		}
		err := readBody(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(body)), &into)
		if want == "" && err != nil || want != "" && (err == nil || errs.As(err).Code != want) {
			t.Errorf("%.40s: %v", body, err)
		}
	}
	var r Resource
	if err := readBody(httptest.NewRecorder(), httptest.NewRequest("PUT", "/", strings.NewReader(`{ "a": 1}`)), &r); err != nil || string(r) != `{ "a": 1}` {
		t.Errorf("%s %v", r, err)
	}
	raw, err := json.Marshal(map[string]Resource{"r": r})
	if err != nil || string(raw) != `{"r":{"a":1}}` {
		t.Errorf("%s %v", raw, err)
	}
	large := strings.NewReader(strings.Repeat("x", maxResource+1))
	if err := readBody(httptest.NewRecorder(), httptest.NewRequest("PUT", "/", large), &r); !errs.Is(err, errs.TooLarge) {
		t.Error(err)
	}
	if err := readBody(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader("anything")), &route.Empty{}); err != nil {
		t.Errorf("where no body is wanted: %v", err)
	}
}

func whoAsks(_ context.Context, in *In[route.Empty, route.Empty]) (string, error) {
	return in.By.Detail["administrator"] + " " + in.By.Network + " " + in.By.RequestID, nil
}

// A refusal is problem+json of the shape that the document names.
func TestRefusals(t *testing.T) {
	d := Desk{
		Problem: problem.New(problem.Config{Issuer: "https://m.example", Log: slog.New(slog.DiscardHandler)}),
		Guard:   func(next http.Handler) http.Handler { return next },
		Actor:   func(*http.Request) string { return "tool" },
		Origin:  func(*http.Request) (string, string) { return "192.0.2.1", "r1" }, Clock: clock.Fixed(time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)),
	}
	r := On(d, Spec{Method: "GET", Path: "/admin/grants", ID: "x", Owner: "web", PHI: route.NoPHI}, whoAsks)
	w := httptest.NewRecorder()
	r.Handler.ServeHTTP(w, httptest.NewRequest("GET", "/admin/grants?x=1", nil))
	var told problem.Details
	if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != 400 || told.Code != "parameter-unknown" || told.Status != 400 {
		t.Errorf("%d %s %v", w.Code, w.Body, err)
	}
	w = httptest.NewRecorder()
	r.Handler.ServeHTTP(w, httptest.NewRequest("GET", "/admin/grants", nil))
	if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" || !strings.Contains(w.Body.String(), `"tool 192.0.2.1 r1"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if r.Scopes != "admin/grants" || r.Auth != route.Bearer || r.Operation.Status != http.StatusOK || r.Operation.Body != nil {
		t.Errorf("%+v %+v", r, r.Operation)
	}
}
