package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startLimit = 60 * time.Second
	stopLimit  = 30 * time.Second
	// pollEvery is how often a start is looked at, and so its resolution.
	pollEvery = 2 * time.Millisecond
)

// child is a process that this program started and ends.
type child struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error
	log   bytes.Buffer
}

// newChild prepares a program. Once started it is told to end with ctx, and
// killed when it does not.
func newChild(ctx context.Context, path string, args ...string) *child {
	c := &child{ended: make(chan struct{})}
	c.cmd = exec.CommandContext(ctx, path, args...) //nolint:gosec // the binary that the operator names, or this one
	c.cmd.Stderr = &c.log
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = stopLimit
	return c
}

func (c *child) start() error {
	if err := c.cmd.Start(); err != nil {
		return err
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return nil
}

// startChild starts a program.
func startChild(ctx context.Context, path string, args ...string) (*child, error) {
	c := newChild(ctx, path, args...)
	return c, c.start()
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// until asks again and again until the answer is yes. Errors: the child ended,
// or the start took longer than startLimit.
func (c *child) until(ctx context.Context, ready func() bool) error {
	limit := time.After(startLimit)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ended:
			return errors.Join(fmt.Errorf("%s ended at its start\n%s", c.cmd.Path, c.log.Bytes()), c.err)
		case <-limit:
			return fmt.Errorf("%s was not ready within %s", c.cmd.Path, startLimit)
		}
	}
	return nil
}

// stop ends the child and reports when it did not end well.
func (c *child) stop() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
	case <-time.After(stopLimit):
		_ = c.cmd.Process.Kill()
		<-c.ended
		return fmt.Errorf("%s did not end within %s", c.cmd.Path, stopLimit)
	}
	var exit *exec.ExitError
	if errors.As(c.err, &exit) && !exit.Exited() {
		return nil // ended by the signal
	}
	if c.err != nil {
		return fmt.Errorf("%s: %w\n%s", c.cmd.Path, c.err, c.log.Bytes())
	}
	return nil
}

// startSelf starts this program as something to compare with and gives its
// address.
func startSelf(ctx context.Context, self, command, config string) (*child, string, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, "", err
	}
	defer out.Close()
	c := newChild(ctx, self, command, config)
	c.cmd.Stdout = in
	err = c.start()
	if fault := in.Close(); err == nil {
		err = fault
	}
	if err != nil {
		return nil, "", err
	}
	addr, err := readLine(out, startLimit)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("the %s did not start: %w\n%s", command, err, c.log.Bytes()), c.stop())
	}
	return c, addr, nil
}

// pause waits unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readLine waits for the address that the floor prints.
func readLine(r io.Reader, within time.Duration) (string, error) {
	type line struct {
		text string
		err  error
	}
	got := make(chan line, 1)
	go func() {
		var text string
		_, err := fmt.Fscanln(r, &text)
		got <- line{text, err}
	}()
	select {
	case l := <-got:
		return l.text, l.err
	case <-time.After(within):
		return "", fmt.Errorf("nothing was printed within %s", within)
	}
}
