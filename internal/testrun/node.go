package testrun

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// Limits of what a node is waited for.
const (
	StartLimit = 60 * time.Second
	StopLimit  = 30 * time.Second
	// pollEvery is how often a start is looked at, tailBytes how much of the log
	// an error shows.
	pollEvery = 20 * time.Millisecond
	tailBytes = 4000
)

// Node is one process of `mandate dev`. It may be started again once it ended.
type Node struct {
	Binary string
	// Dir holds the ready file, the log and, unless Args name another store, the
	// data folder. It must exist.
	Dir string
	// Args follow `mandate dev`. Without --listen it listens where it is free.
	Args []string

	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start runs the process and returns when its ready file is there. Errors: what
// the process wrote last.
func (n *Node) Start() error {
	if err := os.Remove(n.Ready()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	log, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd = exec.Command(n.Binary, n.args()...) //nolint:gosec,noctx // the test names the binary that it built, and ends it itself
	n.cmd.Dir, n.cmd.Stdout, n.cmd.Stderr = n.Dir, log, log
	if err := n.launch(); err != nil {
		return err
	}
	return n.await()
}

// launch starts the process so that it ends with this one, however that ends.
func (n *Node) launch() error {
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, done := make(chan error), make(chan struct{})
	n.done, n.err = done, nil
	go func() {
		// The signal is tied to the thread that started the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := n.cmd.Start()
		started <- err
		if err == nil {
			n.err = n.cmd.Wait()
		}
	}()
	return <-started
}

func (n *Node) args() []string {
	args := []string{"dev", "--ready-file", n.Ready(), "--no-families"}
	if !slices.Contains(n.Args, "--listen") {
		args = append(args, "--listen", "127.0.0.1:0")
	}
	if !slices.Contains(n.Args, "--data") && !slices.Contains(n.Args, "--database") {
		args = append(args, "--data", n.Data())
	}
	return append(args, n.Args...)
}

// Ready gives the path of the ready file.
func (n *Node) Ready() string { return filepath.Join(n.Dir, "ready.json") }

// Data gives the data folder where Args name no store.
func (n *Node) Data() string { return filepath.Join(n.Dir, "data") }

// Log gives the path of what the process wrote, of all its lives.
func (n *Node) Log() string { return filepath.Join(n.Dir, "log") }

func (n *Node) await() error {
	tick, late := time.NewTicker(pollEvery), time.NewTimer(StartLimit)
	defer tick.Stop()
	defer late.Stop()
	for {
		select {
		case <-tick.C:
			if _, err := os.Stat(n.Ready()); err == nil {
				return nil
			}
		case <-n.done:
			return fmt.Errorf("the server ended: %w\n%s", n.err, n.Tail())
		case <-late.C:
			return errors.Join(fmt.Errorf("the server is not ready after %s\n%s", StartLimit, n.Tail()), n.Kill())
		}
	}
}

// Tail gives the end of the log.
func (n *Node) Tail() string {
	raw, err := os.ReadFile(n.Log())
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-tailBytes):])
}

// Signal sends a signal; a process that ended is no error.
func (n *Node) Signal(s os.Signal) error {
	if err := n.cmd.Process.Signal(s); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// PID gives the id of the process that was started last.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Done is closed when the process ended.
func (n *Node) Done() <-chan struct{} { return n.done }

// Wait waits for the end and gives it: nil for status 0.
func (n *Node) Wait() error {
	<-n.done
	return n.err
}

// Kill ends the process without a chance to tidy up. It is safe on one that
// ended or was never started.
func (n *Node) Kill() error { return n.end(syscall.SIGKILL) }

// Stop asks the process to end and waits for it; how it ended is told by Wait.
// Errors: it does not end.
func (n *Node) Stop() error { return n.end(syscall.SIGTERM) }

func (n *Node) end(signal os.Signal) error {
	if n.cmd == nil || n.cmd.Process == nil {
		return nil
	}
	if err := n.Signal(signal); err != nil {
		return err
	}
	late := time.NewTimer(StopLimit)
	defer late.Stop()
	select {
	case <-n.done:
		return nil
	case <-late.C:
		return errors.Join(errors.New("the server does not end\n"+n.Tail()), n.cmd.Process.Kill())
	}
}
