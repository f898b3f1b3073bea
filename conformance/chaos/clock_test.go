package chaos_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

// TestClockJumps: the clock of the server jumps a day forward and back, then a
// day back and forward. What was spent, revoked or replayed before stays so.
func TestClockJumps(t *testing.T) {
	file := filepath.Join(t.TempDir(), "offset")
	jump := func(text string) { must(t, os.WriteFile(file, []byte(text), 0o600)) }
	jump("0s")
	w := begin(t, "--unsafe-clock-offset", file)
	w.wait(t, 6, 0)
	w.rest()
	kept := w.Keep()
	for _, to := range []time.Duration{24 * time.Hour, 0, -24 * time.Hour, 0} {
		jump(to.String())
		w.arrive(t, to)
		w.Replay(t.Context(), kept)
		w.load(t)
		w.wait(t, 3, 0)
		if *long && to != 0 {
			// Long enough for housekeeping to run at the wrong time.
			late := time.NewTimer(70 * time.Second)
			<-late.C
		}
		w.rest()
		for _, f := range w.Faults() {
			t.Errorf("at %v: %s", to, f)
		}
	}
	w.load(t)
	w.verdict(t)
}

// arrive waits until the server's clock is off by that much.
func (w *world) arrive(t *testing.T, by time.Duration) {
	t.Helper()
	late := time.NewTimer(stepLimit)
	defer late.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		off, err := w.Offset(t.Context(), clock.System{}.Now())
		must(t, err)
		if d := off - by; d > -10*time.Second && d < 10*time.Second {
			return
		}
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("the clock does not follow: it is off by %v", off)
		}
	}
}
