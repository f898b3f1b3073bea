package adminapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/route"
)

// If-Match names the version that the caller last saw; anything else it could
// mean is refused, so that no change is lost.
func TestReadResource(t *testing.T) {
	for tag, want := range map[string]int{`W/"3"`: 3, `"12"`: 12, "7": 7, "": 0, `W/"x"`: -1, "*": -1, `W/"0"`: -1, `W/"-1"`: -1, `W/"1", W/"2"`: -1} {
		r := httptest.NewRequest("PUT", "/", strings.NewReader("{}"))
		r.Header.Set("If-Match", tag)
		raw, version, err := readResource(httptest.NewRecorder(), r)
		if want < 0 {
			if !errs.Is(err, errs.Invalid) {
				t.Errorf("%s: %d %v", tag, version, err)
			}
			continue
		}
		if err != nil || version != want || string(raw) != "{}" {
			t.Errorf("%s: %d %v", tag, version, err)
		}
	}
	r := httptest.NewRequest("PUT", "/", strings.NewReader(strings.Repeat("x", maxBody+1)))
	if _, _, err := readResource(httptest.NewRecorder(), r); !errs.Is(err, errs.TooLarge) {
		t.Error(err)
	}
}

// Every route stands behind the guard.
func TestEveryRouteIsGuarded(t *testing.T) {
	guarded := 0
	api := New(Deps{Guard: func(http.Handler) http.Handler {
		guarded++
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	}})
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
