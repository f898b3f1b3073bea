package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/internal/limit"
)

// SE-15, SMART CORS-02: who asks too often is told which limit was met and when
// to come back, and the page of a browser app can read it, preflight included.
// People's pages stay closed to other origins (CORS-03).
func TestRefusalsAreReadable(t *testing.T) {
	s := start(t, func(c *app.Config) { c.Limits = limit.Config{Network: 1, SignIn: 1} })
	from := func(method, address string, form url.Values) *kit.Response {
		t.Helper()
		h := http.Header{"Origin": {"https://app.example"}}
		if method == http.MethodOptions {
			h.Set("Access-Control-Request-Method", "POST")
			h.Set("Access-Control-Request-Headers", "authorization,content-type")
		}
		return s.do(t, kit.Request{Method: method, URL: address, Header: h, Form: form})
	}
	over := func(class, method, address string, form url.Values) *kit.Response {
		t.Helper()
		for range 200 {
			res := from(method, address, form)
			if res.Status != http.StatusTooManyRequests {
				continue
			}
			if res.Header.Get("RateLimit-Policy") != `"`+class+`";q=2;w=2` || res.Header.Get("RateLimit") == "" || res.Header.Get("Retry-After") == "" {
				t.Errorf("%s: %v", address, res.Header)
			}
			return res
		}
		t.Fatalf("%s %s is not limited", method, address)
		return nil
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}
	for class, at := range map[string]string{"token": s.Config.Token, "fhir": s.FHIRBase + "/Patient/rosa"} {
		method, form := http.MethodGet, url.Values(nil)
		if class == "token" {
			method, form = http.MethodPost, refresh
		}
		res := over(class, method, at, form)
		if res.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "Retry-After") {
			t.Errorf("%s: a browser app cannot read %v", class, res.Header)
		}
		for range 5 {
			asked := from(http.MethodOptions, at, nil)
			if asked.Status != http.StatusNoContent || asked.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: a preflight gets %s", class, asked)
			}
			if asked.Header.Get("Access-Control-Allow-Origin") != "" && !strings.Contains(asked.Header.Get("Access-Control-Allow-Headers"), "Authorization") {
				t.Errorf("%s: a preflight allows %v", class, asked.Header)
			}
		}
	}
	if res := over("authorize", http.MethodGet, s.Config.Authorize, nil); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a page is open to other origins: %v", res.Header)
	}
}
