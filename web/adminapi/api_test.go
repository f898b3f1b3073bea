package adminapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/web/adminapi/call"
	"github.com/mandate-health/mandate/web/route"
)

// Every route stands behind the guard.
func TestEveryRouteIsGuarded(t *testing.T) {
	guarded := 0
	api := New(Deps{Desk: call.Desk{Guard: func(http.Handler) http.Handler {
		guarded++
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	}}})
	routes := api.Routes()
	for _, r := range routes {
		w := httptest.NewRecorder()
		r.Handler.ServeHTTP(w, httptest.NewRequest(r.Method, "/", nil))
		if err := r.Validate(); err != nil || w.Code != http.StatusUnauthorized || r.Auth != route.Bearer || !strings.HasPrefix(r.Path, "/admin/") {
			t.Errorf("%s %s: %d %v", r.Method, r.Path, w.Code, err)
		}
	}
	if guarded != len(routes) || guarded == 0 {
		t.Errorf("%d of %d routes are guarded", guarded, len(routes))
	}
}
