package app

import (
	"testing"

	"github.com/mandate-health/mandate/internal/ids"
)

// A hash that was made beforehand is of the password that people are told, and of the
// cost that a new one has: else each first log-in makes it anew.
func TestDemoPasswordsAreHashedBeforehand(t *testing.T) {
	h := (&PasswordConfig{}).hasher(ids.Source{}, nil)
	for _, p := range demoPeople() {
		made := demoHash(p.username)
		if ok, err := h.Verify(t.Context(), made, p.password(), true); !ok || err != nil || h.Stale(made) {
			fresh, err := h.Hash(t.Context(), p.password())
			t.Errorf("%s: %v; this would do: %s %v", p.username, err, fresh, err)
		}
	}
}
