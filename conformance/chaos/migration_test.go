package chaos_test

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/conformance/chaos"
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
		flags := []string{"--data", t.TempDir()}
		for _, way := range [][]string{{"up"}, {"down", "--to", "0", "--yes"}, {"up"}} {
			rounds := 0
			for lines := 1; killedAfter(t, lines, append(way, flags...)...); lines = rounds%2 + 1 {
				rounds++
			}
			if rounds < 2 {
				t.Errorf("%v was killed %d times", way, rounds)
			}
		}
		whole(t, flags)
		intact(t, flags[1])
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

// killedAfter kills a run once it wrote so many lines; false says that it came
// to its end before.
func killedAfter(t *testing.T, lines int, args ...string) bool {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"migrate"}, args...)...)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	read := bufio.NewScanner(out)
	for n := 0; n < lines && read.Scan(); n++ {
	}
	killErr := cmd.Process.Kill()
	_, err = io.Copy(io.Discard, out)
	must(t, err)
	if err := cmd.Wait(); err == nil {
		return false
	}
	must(t, killErr)
	return true
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
