package protocol_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// What is allocated for an answer, the fake store's and the recorder's part among
// it, is the same on every machine, busy or not. The bounds are today's figures and
// three: a token that is hashed once more is seen. What is won is taken off here.
func TestAnAnswerCostsNoMore(t *testing.T) {
	web := basic("web", secretA)
	for _, c := range []struct {
		name string
		most float64
		// sends gets ready what sends one request.
		sends func(w *world) func()
	}{
		{"secret", 191, func(w *world) func() {
			legacy := basic("legacy", secretB)
			return func() { w.direct("/token", backendForm("system/Patient.rs"), legacy) }
		}},
		{"assertion", 324, func(w *world) func() {
			signed := make([]string, costRuns+1)
			for i := range signed {
				signed[i] = w.assertion("backend", "rs", nil)
			}
			return func() {
				w.direct("/token", asserted(backendForm("system/Patient.rs"), signed[0]))
				signed = signed[1:]
			}
		}},
		{"refresh", 279, func(w *world) func() {
			first, _ := w.exchange(nil)
			token := first.str("refresh_token")
			return func() {
				_, after, _ := strings.Cut(w.direct("/token", refreshForm(token), web), `"refresh_token":"`)
				token, _, _ = strings.Cut(after, `"`)
			}
		}},
		{"introspection", 70, func(w *world) func() {
			first, _ := w.exchange(nil)
			form := url.Values{"token": {first.str("access_token")}}
			return func() { w.direct("/introspect", form, web) }
		}},
	} {
		if got := testing.AllocsPerRun(costRuns, c.sends(newWorld(t))); got > c.most {
			t.Errorf("%s: %g allocations, at most %g", c.name, got, c.most)
		}
	}
}

// costRuns is over how many requests they are counted: few, because the fake
// store copies its rows.
const costRuns = 20

// direct asks without a connection, and gives the answer of one that went well.
func (w *world) direct(path string, form url.Values, options ...func(*http.Request)) string {
	r := httptest.NewRequest(http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, o := range options {
		o(r)
	}
	rec := httptest.NewRecorder()
	w.mux.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, rec.Code, rec.Body)
	}
	return rec.Body.String()
}
