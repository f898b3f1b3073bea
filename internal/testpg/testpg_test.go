package testpg

import (
	"os"
	"path/filepath"
	"testing"
)

// A cluster answers, comes back after it was killed, and leaves nothing.
func TestCluster(t *testing.T) {
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	// Close is safe to call twice; this one is for a failure below.
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	ask := func() string {
		out, err := c.command("psql", "-At", "-d", c.DSN, "-c", "SHOW fsync").CombinedOutput()
		if err != nil {
			t.Fatalf("psql: %v\n%s", err, out)
		}
		return string(out)
	}
	if got := ask(); got != "on\n" {
		t.Errorf("fsync is %q", got)
	}
	if err := c.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := c.Launch(); err != nil {
		t.Fatal(err)
	}
	ask()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "data")); !os.IsNotExist(err) {
		t.Errorf("the folder is still there: %v", err)
	}
}
