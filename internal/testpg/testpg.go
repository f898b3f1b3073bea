package testpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/freeport"
	"github.com/mandate-health/mandate/internal/ids"
)

// startLimit bounds how long a server may take to accept connections.
const startLimit = 60 * time.Second

// Cluster is a running PostgreSQL.
type Cluster struct {
	// DSN is a connection URL for its superuser and its database "postgres".
	DSN string
	// Dir holds the data folder "data", the log "log" and the socket.
	Dir string
	// Address is where it listens on the loopback interface, as HOST:PORT;
	// there the superuser needs Password.
	Address  string
	Password string

	// primary is what a replica copies.
	primary *Cluster
	bin     string
	account *syscall.Credential
	process *exec.Cmd
	// exited gives the end of the server process once.
	exited chan error
}

// Start runs a cluster until the test ends and gives its connection URL. The
// test fails when PostgreSQL is not installed. Give one cluster to all
// subtests and let each have a schema of its own.
func Start(t testing.TB) string {
	t.Helper()
	return New(t).DSN
}

// New is Start for a test that needs more than the connection URL.
func New(t testing.TB) *Cluster {
	t.Helper()
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// Open makes and starts a cluster. Close it.
func Open() (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	return open(&Cluster{bin: bin, Password: ids.Source{}.Secret()})
}

// open makes a cluster's folder and starts the server.
func open(c *Cluster) (*Cluster, error) {
	var err error
	if c.Dir, err = os.MkdirTemp("", "mandate-pg-"); err != nil {
		return nil, err
	}
	if err := c.boot(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) boot() error {
	if err := c.borrowAccount(); err != nil {
		return err
	}
	if err := c.settle(); err != nil {
		return err
	}
	if c.primary != nil {
		if err := c.copyPrimary(); err != nil {
			return err
		}
		return c.Launch()
	}
	// Without a password the superuser is reachable only through the socket, in
	// a folder that only its owner can enter.
	password := filepath.Join(c.Dir, "password")
	if err := os.WriteFile(password, []byte(c.Password), 0o644); err != nil {
		return err
	}
	out, err := c.command("initdb", "-D", c.data(), "-U", "mandate", "--auth-local=trust", "--auth-host=scram-sha-256",
		"--pwfile="+password, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions").CombinedOutput()
	if err != nil {
		return fmt.Errorf("testpg: initdb: %w\n%s", err, out)
	}
	return c.Launch()
}

// settle chooses the address and the connection URL.
func (c *Cluster) settle() error {
	var err error
	if c.Address, err = freeport.Take(); err != nil {
		return err
	}
	c.DSN = "postgres://mandate@/postgres?" + url.Values{"host": {c.Dir}, "port": {c.port()}}.Encode()
	return nil
}

func (c *Cluster) port() string {
	_, port, _ := net.SplitHostPort(c.Address)
	return port
}

// URL gives a connection URL for the superuser over the network through the
// given addresses, in that order; without any, through its own.
func (c *Cluster) URL(addresses ...string) string {
	if len(addresses) == 0 {
		addresses = []string{c.Address}
	}
	return c.As("mandate", addresses...)
}

// As is URL for a role that has the same password.
func (c *Cluster) As(role string, addresses ...string) string {
	return "postgres://" + role + ":" + c.Password + "@" + strings.Join(addresses, ",") + "/postgres?sslmode=disable&connect_timeout=2"
}

// borrowAccount lets the user postgres own the folder when the tests run as
// root, because the server refuses to.
func (c *Cluster) borrowAccount() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("testpg: PostgreSQL refuses to run as root and there is no user postgres: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	c.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.Dir, int(uid), int(gid))
}

// binaries finds the newest installed PostgreSQL.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		if path, err := exec.LookPath("initdb"); err == nil {
			return filepath.Dir(path), nil
		}
		return "", errors.New("testpg: PostgreSQL is not installed; install the system package postgresql (apt-get install postgresql)")
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func (c *Cluster) data() string { return filepath.Join(c.Dir, "data") }

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.Dir
	cmd.Env = []string{"LC_ALL=C", "PATH=" + c.bin + ":/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.account}
	return cmd
}

// Launch starts the server on its folder, also again after Kill or Stop, and
// waits until it answers.
func (c *Cluster) Launch() error {
	late := time.NewTimer(startLimit)
	defer late.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.launch()
		if err == nil || !strings.Contains(err.Error(), lingering) {
			return err
		}
		select {
		case <-tick.C:
		case <-late.C:
			return err
		}
	}
}

// lingering is what a new server says while children of a killed one are still
// ending.
const lingering = "pre-existing shared memory block"

// launch starts the server once.
func (c *Cluster) launch() error {
	logFile, err := os.OpenFile(filepath.Join(c.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := c.command("postgres", "-D", c.data(), "-k", c.Dir, "-c", "listen_addresses=127.0.0.1", "-c", "port="+c.port(),
		"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "max_connections=200", "-c", "shared_buffers=64MB")
	cmd.Stdout, cmd.Stderr = logFile, logFile
	// Should the test be killed, the kernel ends the server.
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	started, exited := make(chan error), make(chan error, 1)
	go func() {
		// The signal is tied to the thread that started the server, so that
		// thread must live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	err = errors.Join(<-started, logFile.Close())
	if err != nil {
		return err
	}
	c.process, c.exited = cmd, exited
	return c.ready()
}

func (c *Cluster) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if c.command("pg_isready", "-q", "-h", c.Dir, "-p", c.port(), "-d", "postgres", "-U", "mandate").Run() == nil {
			return nil
		}
		select {
		case <-tick.C:
		case err := <-c.exited:
			c.process = nil
			return fmt.Errorf("testpg: the server ended at once: %w\n%s", err, c.log())
		case <-ctx.Done():
			return fmt.Errorf("testpg: the server did not answer within %s\n%s", startLimit, c.log())
		}
	}
}

func (c *Cluster) log() []byte {
	text, err := os.ReadFile(filepath.Join(c.Dir, "log"))
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text)
}

// LimitFiles lets the server write no file beyond so many bytes, as a disk that is
// full; 0 ends it. Processes that it starts later are under the limit too.
func (c *Cluster) LimitFiles(limit uint64) error {
	pids, err := c.processes()
	if err != nil {
		return err
	}
	text := "unlimited"
	if limit > 0 {
		text = strconv.FormatUint(limit, 10)
	}
	for _, pid := range pids {
		// As the server's own account, which may do it without more rights. A
		// process that has ended since writes nothing.
		cmd := c.command("prlimit", "--pid", strconv.Itoa(pid), "--fsize="+text+":")
		cmd.Path = "/usr/bin/prlimit"
		out, err := cmd.CombinedOutput()
		if err != nil && !bytes.Contains(out, []byte("No such process")) {
			return fmt.Errorf("testpg: prlimit: %w\n%s", err, out)
		}
	}
	return nil
}

// processes gives the ids of the server's processes as they are now, the first of
// which starts the others.
func (c *Cluster) processes() ([]int, error) {
	if c.process == nil {
		return nil, errors.New("testpg: the server does not run")
	}
	first := c.process.Process.Pid
	pids := []int{first}
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		// After the name, in parentheses: state and parent.
		fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(first) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, err
}

// Kill ends the server without a chance to tidy up.
func (c *Cluster) Kill() error { return c.end(syscall.SIGKILL) }

// Stop ends the server in order, cutting off its clients.
func (c *Cluster) Stop() error { return c.end(syscall.SIGINT) }

func (c *Cluster) end(signal syscall.Signal) error {
	if c.process == nil {
		return nil
	}
	if err := c.process.Process.Signal(signal); err != nil {
		return err
	}
	err := <-c.exited
	c.process = nil
	var told *exec.ExitError
	if errors.As(err, &told) {
		// It ended as it was told to.
		return nil
	}
	return err
}

// Close stops the server and removes its folder.
func (c *Cluster) Close() error {
	return errors.Join(c.Stop(), os.RemoveAll(c.Dir))
}
