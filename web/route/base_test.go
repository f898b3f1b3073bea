package route_test

import (
	"testing"

	"github.com/mandate-health/mandate/web/route"
)

func TestBases(t *testing.T) {
	root, acme := route.Base(""), route.BaseOf("acme")
	if root.Path("/apps") != "/apps" || acme.Path("/apps") != "/t/acme/apps" || root.Tenant() != "" || acme.Tenant() != "acme" {
		t.Error(root, acme)
	}
	for path, want := range map[string][2]bool{
		"/": {true, false}, "/apps": {true, false}, "/tea": {true, false}, "/t/acme": {false, true}, "/t/acme/apps": {false, true},
		"/t/acmes": {false, false}, "/t/other/apps": {false, false},
	} {
		if root.Owns(path) != want[0] || acme.Owns(path) != want[1] {
			t.Errorf("%s: %v %v", path, root.Owns(path), acme.Owns(path))
		}
	}
}
