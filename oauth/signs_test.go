package oauth_test

import (
	"testing"

	"github.com/mandate-health/mandate/oauth"
)

// D2, FAPI 2.0 §5.4: the SMART algorithms serve whoever says nothing, those of
// FAPI only who is registered for them, and a pinned one excludes all others.
func TestSigns(t *testing.T) {
	for pinned, want := range map[string]string{"": "RS384 ES384", "PS256": "PS256", "ES256": "ES256", "ES384": "ES384"} {
		got := ""
		for _, alg := range append(oauth.AssertionAlgorithms(), "none", "HS256", "RS256", "") {
			if (oauth.Client{AuthAlg: pinned}).Signs(alg) {
				got += " " + alg
			}
		}
		if got != " "+want {
			t.Errorf("registered for %q:%s", pinned, got)
		}
	}
}
