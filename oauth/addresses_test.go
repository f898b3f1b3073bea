package oauth_test

import (
	"testing"

	"github.com/mandate-health/mandate/oauth"
)

// A client that is bound to networks calls from nowhere else, and not from an
// address that is not known; one that is not calls from anywhere.
func TestClientCallsFrom(t *testing.T) {
	bound := oauth.Client{AllowedAddresses: []string{"192.0.2.0/24", "2001:db8::/32", "nonsense"}}
	for address, want := range map[string]bool{
		"192.0.2.7": true, "::ffff:192.0.2.7": true, "2001:db8::1": true, "192.0.3.7": false, "2001:db9::1": false, "": false, "somewhere": false,
	} {
		if got := bound.CallsFrom(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
		if !(oauth.Client{}).CallsFrom(address) {
			t.Errorf("%q: refused to a client that is bound to nothing", address)
		}
	}
}
