package testrun

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script is a program that stands for the server.
func script(t *testing.T, text string) *Node {
	t.Helper()
	n := &Node{Binary: filepath.Join(t.TempDir(), "program"), Dir: t.TempDir()}
	if err := os.WriteFile(n.Binary, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return n
}

// A node is ready when it says so, ends when it is told, and starts again.
func TestNode(t *testing.T) {
	n := script(t, `echo "$@"; trap 'exit 3' TERM; touch "$3"; while :; do sleep 0.05; done`)
	for range 2 {
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := n.Wait(); err == nil || !strings.Contains(err.Error(), "3") {
			t.Errorf("it ended with %v", err)
		}
		<-n.Done()
	}
	if tail := n.Tail(); strings.Count(tail, "dev --ready-file "+n.Ready()+" --no-families --listen 127.0.0.1:0 --data "+n.Data()) != 2 {
		t.Errorf("it was told %q", tail)
	}
	if err := n.Kill(); err != nil {
		t.Errorf("killing what ended: %v", err)
	}
	if err := new(Node).Stop(); err != nil {
		t.Errorf("stopping what never started: %v", err)
	}
}

// A node that ends at its start is told with what it said, and one that cannot
// be started at all with why.
func TestNodeThatDoesNotStart(t *testing.T) {
	if err := script(t, `echo "no room"; exit 1`).Start(); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Error(err)
	}
	n := &Node{Binary: filepath.Join(t.TempDir(), "none"), Dir: t.TempDir()}
	if err := n.Start(); err == nil {
		t.Error("nothing was started")
	}
	if err := n.Stop(); err != nil {
		t.Error(err)
	}
}

// The store of the arguments is kept.
func TestNodeKeepsItsStore(t *testing.T) {
	n := &Node{Dir: "/d", Args: []string{"--database", "x", "--listen", "y"}}
	if got := strings.Join(n.args(), " "); got != "dev --ready-file /d/ready.json --no-families --database x --listen y" {
		t.Error(got)
	}
}
