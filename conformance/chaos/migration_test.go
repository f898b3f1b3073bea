package chaos_test

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/chaos"
	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/testpg"
)

// migrate runs a migrate command to its end.
func migrate(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary, append([]string{"migrate"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// TestMigrationKilled: the way up and the way down are killed in the middle, at
// each step; the next run takes up where the last stopped, and the end is the
// same as without.
func TestMigrationKilled(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		down := []string{"down", "--to", "0", "--yes"}
		began := clock.System{}.Now()
		migrate(t, "up", "--data", t.TempDir())
		took, killed := clock.System{}.Now().Sub(began), 0
		rounds := either(6, 40)
		for round := range rounds {
			flags := []string{"--data", t.TempDir()}
			at := took * time.Duration(round+1) / time.Duration(rounds+1)
			for _, way := range [][]string{{"up"}, down, {"up"}} {
				if killedAfter(t, at, append(way, flags...)...) {
					killed++
				}
			}
			migrate(t, append([]string{"up"}, flags...)...)
			whole(t, flags)
			intact(t, flags[1])
		}
		if killed < rounds {
			t.Errorf("of %d runs only %d were killed", 3*rounds, killed)
		}
	})
	t.Run("postgresql", func(t *testing.T) {
		cluster := testpg.New(t)
		proxy, err := chaos.NewProxy(cluster.Address)
		must(t, err)
		t.Cleanup(func() { must(t, proxy.Close()) })
		for _, way := range [][]string{{"up"}, {"down", "--to", "0", "--yes"}, {"up"}} {
			rounds := 0
			for answers := 40; killedAt(t, proxy, answers, append(way, "--database", cluster.URL(proxy.Address))...); answers += either(60, 7) {
				rounds++
			}
			if rounds < 2 {
				t.Errorf("%v was killed %d times", way, rounds)
			}
		}
		whole(t, []string{"--database", cluster.URL()})
		sound(t, cluster)
	})
}

// whole checks that nothing is missing, and that a run finds nothing to do.
func whole(t *testing.T, flags []string) {
	t.Helper()
	if out := migrate(t, append([]string{"status"}, flags...)...); !strings.Contains(out, "up to date") {
		t.Errorf("the tables are\n%s", out)
	}
	if out := migrate(t, append([]string{"up"}, flags...)...); !strings.Contains(out, "nothing to do") {
		t.Errorf("there was something to do:\n%s", out)
	}
}

// killedAfter kills a run after a time; false says that it came to its end
// before.
func killedAfter(t *testing.T, d time.Duration, args ...string) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	err := exec.CommandContext(ctx, binary, append([]string{"migrate"}, args...)...).Run()
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	return err != nil
}

// killedAt kills a run that waits for an answer of the database in its middle.
func killedAt(t *testing.T, proxy *chaos.Proxy, answers int, args ...string) bool {
	t.Helper()
	stopped := proxy.FreezeAfter(answers)
	cmd := exec.Command(binary, append([]string{"migrate"}, args...)...)
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	killed := false
	select {
	case <-stopped:
		must(t, cmd.Process.Kill())
		killed = <-ended != nil
	case err := <-ended:
		must(t, err)
	}
	proxy.Thaw()
	proxy.Cut()
	return killed
}
