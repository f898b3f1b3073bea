package route_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/web/route"
)

func TestEveryFactIsAskedFor(t *testing.T) {
	good := route.Route{Method: "GET", Path: "/help", Auth: route.None, PHI: route.NoPHI, Owner: "web/pages", Reason: "help must work signed out", Handler: http.NotFoundHandler()}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*route.Route){
		"method":                   func(r *route.Route) { r.Method = "get" },
		"path":                     func(r *route.Route) { r.Path = "help" },
		"owner":                    func(r *route.Route) { r.Owner = "" },
		"handler":                  func(r *route.Route) { r.Handler = nil },
		"authentication":           func(r *route.Route) { r.Auth = "cookie" },
		"class of data":            func(r *route.Route) { r.PHI = "" },
		"without a reason":         func(r *route.Route) { r.Reason = "" },
		"only for routes open":     func(r *route.Route) { r.Auth = route.Session },
		"record are open":          func(r *route.Route) { r.PHI = route.Record },
		"the method is missing or": func(r *route.Route) { *r = route.Route{} },
	} {
		r := good
		spoil(&r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}
