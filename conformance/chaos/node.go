package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mandate-health/mandate/conformance/kit"
)

// Limits of what a node is waited for.
const (
	startLimit = 60 * time.Second
	stopLimit  = 30 * time.Second
)

// Node is one process of the server, which keeps its address over restarts.
type Node struct {
	Binary string
	// Dir holds the ready file, the log and, unless Args name another store,
	// the data folder.
	Dir string
	// Args follow "mandate dev".
	Args []string

	cmd    *exec.Cmd
	exited chan error
}

// Start runs the process and gives a target once it answers. Errors: what the
// process wrote last.
func (n *Node) Start(ctx context.Context) (*kit.Target, error) {
	ready := filepath.Join(n.Dir, "ready.json")
	if err := os.Remove(ready); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	//nolint:gosec // the test program names the binary that it built
	n.cmd = exec.CommandContext(context.Background(), n.Binary, append([]string{"dev", "--ready-file", ready}, n.args()...)...)
	n.cmd.Dir, n.cmd.Stdout, n.cmd.Stderr = n.Dir, log, log
	if n.exited, err = launch(n.cmd); err != nil {
		return nil, err
	}
	if err := n.await(ready); err != nil {
		return nil, err
	}
	r, err := kit.ReadReady(ready)
	if err != nil {
		return nil, err
	}
	return kit.NewTarget(ctx, r)
}

// launch starts a process that ends with this one, however that ends, and gives
// a channel with its end.
func launch(cmd *exec.Cmd) (chan error, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, exited := make(chan error), make(chan error, 1)
	go func() {
		// The signal is tied to the thread that started the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	return exited, <-started
}

func (n *Node) args() []string {
	if slices.Contains(n.Args, "--data") || slices.Contains(n.Args, "--database") {
		return n.Args
	}
	return append([]string{"--data", filepath.Join(n.Dir, "data")}, n.Args...)
}

func (n *Node) log() string { return filepath.Join(n.Dir, "log") }

func (n *Node) await(ready string) error {
	tick, late := time.NewTicker(20*time.Millisecond), time.NewTimer(startLimit)
	defer tick.Stop()
	defer late.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := os.Stat(ready); err == nil {
				return nil
			}
		case err := <-n.exited:
			n.exited <- err
			return fmt.Errorf("the server ended: %w\n%s", err, n.Tail())
		case <-late.C:
			return errors.Join(fmt.Errorf("the server is not ready after %s\n%s", startLimit, n.Tail()), n.Kill())
		}
	}
}

// Tail gives the end of the log.
func (n *Node) Tail() string {
	raw, err := os.ReadFile(n.log())
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-4000):])
}

// LimitFiles lets the process write no file beyond so many bytes, as a disk
// that is full; 0 ends it.
func (n *Node) LimitFiles(bytes uint64) error {
	limit := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
	if bytes == 0 {
		limit.Cur = unix.RLIM_INFINITY
	}
	return unix.Prlimit(n.cmd.Process.Pid, unix.RLIMIT_FSIZE, &limit, nil)
}

// Kill ends the process without a chance to tidy up. It is safe on one that
// ended.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Stop asks the process to end and waits for it.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

func (n *Node) end(signal os.Signal) error {
	if n.cmd == nil {
		return nil
	}
	if err := n.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	late := time.NewTimer(stopLimit)
	defer late.Stop()
	select {
	case err := <-n.exited:
		n.exited <- err
		return nil
	case <-late.C:
		return errors.Join(errors.New("the server does not end\n"+n.Tail()), n.cmd.Process.Kill())
	}
}
