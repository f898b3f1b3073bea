package chaos_test

import (
	"testing"

	"github.com/mandate-health/mandate/internal/testpg"
)

// TestServerKilled: the server itself is killed under load, again and again,
// and each new one stands by what the one before had said.
func TestServerKilled(t *testing.T) {
	for _, engine := range []string{"embedded", "postgresql"} {
		t.Run(engine, func(t *testing.T) {
			var args []string
			if engine == "postgresql" {
				cluster := testpg.New(t)
				args = []string{"--database", cluster.URL()}
				defer sound(t, cluster)
			}
			w := begin(t, args...)
			for range either(3, 50) {
				w.wait(t, 4, 0)
				w.Dying(true)
				must(t, w.node.Kill())
				w.Use(w.start(t))
				w.Dying(false)
			}
			w.verdict(t)
			must(t, w.node.Stop())
			if engine == "embedded" {
				intact(t, w.node.Dir)
			}
		})
	}
}
