package freeport

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// asked makes this test a process that takes ports, tells them and waits for the end of
// its input.
const asked = "MANDATE_FREEPORT_ASKED"

const each = 100

// Two processes that ask at once, also with temporary folders of their own, are never given the same port, and the kernel gives
// none of theirs to a listener that asks for any.
func TestNoPortIsGivenTwice(t *testing.T) {
	if os.Getenv(asked) != "" {
		for range each {
			address, err := Take()
			if err != nil {
				t.Fatal(err)
			}
			_, _ = os.Stdout.WriteString(address + "\n")
		}
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		return
	}
	given := map[string]bool{}
	other := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	other.Env = append(os.Environ(), asked+"=1", "TMPDIR="+t.TempDir())
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	take := func(address string) {
		if given[address] {
			t.Errorf("%s was given twice", address)
		}
		given[address] = true
	}
	for range each {
		address, err := Take()
		if err != nil {
			t.Fatal(err)
		}
		take(address)
		if !lines.Scan() {
			t.Fatal("the other process stopped early")
		}
		take(lines.Text())
	}
	for range each {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		take(l.Addr().String())
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	if err := other.Wait(); err != nil {
		t.Fatal(err)
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A port on which somebody listens who did not ask is not given.
func TestWhoListensIsLeftAlone(t *testing.T) {
	address, err := Take()
	if err != nil || !strings.HasPrefix(address, "127.0.0.1:") {
		t.Fatal(address, err)
	}
	next, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	// What listens there may take some that follow.
	if apart := portOf(t, next) - portOf(t, address); apart > -room && apart < room {
		t.Errorf("%s and %s are %d apart", address, next, apart)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if silent(address) {
		t.Error("somebody listens there")
	}
}
