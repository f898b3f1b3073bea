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

// A replica follows, is promoted when its primary died, and has all that was
// confirmed.
func TestReplica(t *testing.T) {
	primary, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	closing(t, primary)
	replica, err := primary.Replica()
	if err != nil {
		t.Fatal(err)
	}
	closing(t, replica)
	if err := primary.WaitFor(); err != nil {
		t.Fatal(err)
	}
	if _, err := primary.SQL("CREATE TABLE x AS SELECT 42 AS n"); err != nil {
		t.Fatal(err)
	}
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := replica.SQL("CREATE TABLE y AS SELECT 1"); err == nil {
		t.Error("a replica takes writes")
	}
	if err := replica.Promote(); err != nil {
		t.Fatal(err)
	}
	if got, err := replica.SQL("INSERT INTO x VALUES (1) RETURNING (SELECT n FROM x)"); err != nil || got != "42" {
		t.Errorf("%q %v", got, err)
	}
}

func closing(t *testing.T, c *Cluster) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
