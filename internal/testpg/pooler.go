package testpg

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/freeport"
)

// Pooler runs PgBouncer in transaction mode before the cluster until the test
// ends, and gives its address as HOST:PORT. It lets any role of the cluster in
// without a password, so it serves nothing but the test.
func (c *Cluster) Pooler(t testing.TB) string {
	t.Helper()
	address, stop, err := c.startPooler()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return address
}

func (c *Cluster) startPooler() (address string, stop func(), err error) {
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		if path = "/usr/sbin/pgbouncer"; exec.Command(path, "-V").Run() != nil {
			return "", nil, errors.New("testpg: PgBouncer is not installed; install the system package pgbouncer")
		}
	}
	if address, err = freeport.Take(); err != nil {
		return "", nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	ini, users := filepath.Join(c.Dir, "pgbouncer.ini"), filepath.Join(c.Dir, "users.txt")
	text := strings.Join([]string{
		"[databases]", "* = host=" + c.Dir + " port=" + c.port(),
		"[pgbouncer]", "listen_addr = 127.0.0.1", "listen_port = " + port, "unix_socket_dir =",
		"pool_mode = transaction", "auth_type = trust", "auth_file = " + users, "auth_user = mandate",
		"auth_query = SELECT usename, '' FROM pg_catalog.pg_user WHERE usename = $1",
		"max_client_conn = 500", "default_pool_size = 4", "server_idle_timeout = 2",
	}, "\n") + "\n"
	if err := errors.Join(os.WriteFile(users, []byte("\"mandate\" \"\"\n"), 0o644), os.WriteFile(ini, []byte(text), 0o644)); err != nil {
		return "", nil, err
	}
	cmd := exec.Command(path, "-q", ini)
	cmd.Dir = c.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.account, Pdeathsig: syscall.SIGQUIT}
	out, err := os.Create(filepath.Join(c.Dir, "pgbouncer.log"))
	if err != nil {
		return "", nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	exited, err := launch(cmd)
	if err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // it may have ended
		for range exited {                     // it was told to end
		}
	}
	if err := answers(address, exited); err != nil {
		stop()
		return "", nil, err
	}
	return address, stop, nil
}

// launch starts a program that ends with this one and gives its end once.
func launch(cmd *exec.Cmd) (chan error, error) {
	started, exited := make(chan error), make(chan error, 1)
	go func() {
		// The signal is tied to the thread that started it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
		close(exited)
	}()
	return exited, <-started
}

// answers waits until somebody listens.
func answers(address string, exited chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case err := <-exited:
			return fmt.Errorf("testpg: PgBouncer ended: %w", err)
		case <-ctx.Done():
			return err
		}
	}
}
