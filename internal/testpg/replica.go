package testpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Replica starts a streaming replica of a running cluster. Close it before
// the cluster.
func (c *Cluster) Replica() (*Cluster, error) {
	r := &Cluster{bin: c.bin, Password: c.Password, primary: c}
	return open(r)
}

// copyPrimary fills the data folder from the primary.
func (c *Cluster) copyPrimary() error {
	out, err := c.command("pg_basebackup", "-D", c.data(), "-R", "-X", "stream", "--checkpoint=fast", "--no-sync",
		"-h", c.primary.Dir, "-p", c.primary.port(), "-U", "mandate").CombinedOutput()
	if err != nil {
		return fmt.Errorf("testpg: pg_basebackup: %w\n%s", err, out)
	}
	return nil
}

// WaitFor makes the primary confirm a commit only when a replica has it too:
// without that a failover loses the newest ones. It returns when a replica
// follows.
func (c *Cluster) WaitFor() error {
	if _, err := c.SQL("ALTER SYSTEM SET synchronous_standby_names = '*'"); err != nil {
		return err
	}
	if _, err := c.SQL("SELECT pg_reload_conf()"); err != nil {
		return err
	}
	return c.until("SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')", "1")
}

// Promote makes a replica the primary and returns when it takes writes.
func (c *Cluster) Promote() error {
	out, err := c.command("pg_ctl", "promote", "-D", c.data(), "-w", "-t", "30").CombinedOutput()
	if err != nil {
		return fmt.Errorf("testpg: promote: %w\n%s", err, out)
	}
	return c.until("SELECT pg_is_in_recovery()", "f")
}

// SQL runs a statement as the superuser and gives its answer as text.
func (c *Cluster) SQL(sql string) (string, error) {
	cmd := c.command("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", c.Dir, "-p", c.port(), "-U", "mandate", "-d", "postgres", "-c", sql)
	out, err := cmd.Output()
	var told *exec.ExitError
	if errors.As(err, &told) {
		return "", fmt.Errorf("testpg: %w: %s", err, told.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}

// until asks again until the answer is as wanted.
func (c *Cluster) until(sql, want string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := c.SQL(sql)
		if err == nil && got == want {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("testpg: %s gives %q", sql, got), err)
		}
	}
}

// Check verifies every table and index of the database, with pg_amcheck.
func (c *Cluster) Check() error {
	out, err := c.command("pg_amcheck", "--install-missing", "--heapallindexed", "-h", c.Dir, "-p", c.port(), "-U", "mandate", "-d", "postgres").CombinedOutput()
	if err != nil || len(out) > 0 {
		return errors.Join(fmt.Errorf("testpg: pg_amcheck says:\n%s", out), err)
	}
	return nil
}

// Own gives a folder to the account under which the server runs.
func (c *Cluster) Own(dir string) error {
	if c.account == nil {
		return nil
	}
	return os.Chown(dir, int(c.account.Uid), int(c.account.Gid))
}
