package web_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gorilla/mux"

	"github.com/mandate-health/mandate/web"
	"github.com/mandate-health/mandate/web/route"
)

// What is found by comparing the parts of a path is what the router finds: the
// same site with a first route of which only the router knows what it matches
// answers every address alike, below the base of a tenant too.
func TestPathsAreFoundAsTheRouterFindsThem(t *testing.T) {
	tell := func(pattern string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v := mux.Vars(r)
			_, _ = fmt.Fprintf(w, "%s id=%q part=%q", pattern, v["id"], v["part"])
		})
	}
	build := func(base route.Base, first ...route.Route) *site {
		return newSite(t, func(d *web.Deps) {
			d.Base, d.FHIRBasePath = base, base.Path("/fhir")
			d.Routes = first
			for _, p := range []string{"/things", "/things/mine", "/things/{id}", "/things/theirs", "/things/{id}/part", "/things/{id}/{part}", "/things/{id}/end/", "/fhir/X/{id}"} {
				d.Routes = append(d.Routes, open("GET", p, tell("GET "+p)))
			}
			d.Routes = append(d.Routes, open("POST", "/things/{id}", tell("POST")))
		})
	}
	answered := 0
	for _, base := range []route.Base{"", route.BaseOf("acme")} {
		quick, slow := build(base), build(base, open("GET", "/{any:never}", http.NotFoundHandler()))
		for _, path := range []string{
			"/things", "/things/", "/things/mine", "/things/theirs", "/things/a", "/things/a/", "/things//", "/things//part", "/things/a/part",
			"/things/a/part/", "/things/a/other", "/things/a%2Fb", "/things/a%2fb/part", "/things/%41", "/things%2Fa", "/things/a/end/", "/things/a/end",
			"/things/a/b/c", "/things/..", "/things/../help", "//things/a", "/thing/a", "/fhir/X/1", "/fhir/X/1/2", "/fhir/Y/1", "/%74hings/a", "/things/a;b",
		} {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
				got, want := quick.ask(t, method, base.Path(path)), slow.ask(t, method, base.Path(path))
				if got.Code != want.Code || got.Body.String() != want.Body.String() || got.Header().Get("Allow") != want.Header().Get("Allow") {
					t.Errorf("%s %s: %d %q %q, the router %d %q", method, base.Path(path), got.Code, got.Body, got.Header()["Allow"], want.Code, want.Body)
				}
				if got.Code == http.StatusOK {
					answered++
				}
			}
		}
	}
	if answered < 50 {
		t.Errorf("only %d addresses lead anywhere", answered)
	}
	s := build("")
	if got, _ := io.ReadAll(s.ask(t, "GET", "/things/a%2Fb/c%20d").Body); string(got) != `GET /things/{id}/{part} id="a/b" part="c d"` {
		t.Errorf("%s", got)
	}
}
