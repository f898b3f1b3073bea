package clock_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
)

// D16: the clock is off by what the file says, and follows it; what cannot be
// read is told and changes nothing.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "offset")
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var m clock.Movable
		told := 0
		follow := func() error { return m.Follow(t.Context(), file, func(error) { told++ }) }
		if follow() == nil {
			t.Error("a missing file is followed")
		}
		if write("soon"); follow() == nil {
			t.Error("a file without a duration is followed")
		}
		off := func(want time.Duration) {
			t.Helper()
			if got := time.Until(m.Now()).Round(time.Second); got != want {
				t.Errorf("off by %s, not %s", got, want)
			}
		}
		write("90m\n")
		if err := follow(); err != nil {
			t.Fatal(err)
		}
		off(90 * time.Minute)
		for text, want := range map[string]time.Duration{"-24h": -24 * time.Hour, "0s": 0} {
			write(text)
			<-time.After(time.Second)
			synctest.Wait()
			off(want)
		}
		write("soon")
		<-time.After(3 * time.Second)
		if synctest.Wait(); told != 3 {
			t.Errorf("told %d times of a file that cannot be read", told)
		}
		off(0)
	})
}
