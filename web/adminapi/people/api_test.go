package people_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/adminapi/people"
	"github.com/mandate-health/mandate/web/route"
)

// Every route stands behind the guard, and names the scope that opens it.
func TestEveryRouteIsGuarded(t *testing.T) {
	guarded := 0
	routes := people.Deps{Desk: call.Desk{Guard: func(http.Handler) http.Handler {
		guarded++
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	}}}.Routes()
	for _, r := range routes {
		w := httptest.NewRecorder()
		r.Handler.ServeHTTP(w, httptest.NewRequest(r.Method, "/", nil))
		if err := r.Validate(); err != nil || w.Code != http.StatusUnauthorized || r.Auth != route.Bearer || r.Scopes != "admin/people" {
			t.Errorf("%s %s: %d %q %v", r.Method, r.Path, w.Code, r.Scopes, err)
		}
	}
	if guarded != len(routes) || guarded == 0 {
		t.Errorf("%d of %d routes are guarded", guarded, len(routes))
	}
}
