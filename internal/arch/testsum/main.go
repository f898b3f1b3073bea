// Command testsum runs go test and fails on a failed test, on a skipped one and
// on a run without any test. It passes everything after its name to go test,
// prints the output of what failed and one line for each package, and ends with
// the line "N passed, N failed". After an argument "--" come those of another
// run of go test, such as one with build tags; the last line counts all.
//
// A skipped test is a promise nobody checked, so it counts as failed.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run answers the exit status: 0 when every test ran and passed.
func run(args []string, stdout, stderr io.Writer) int {
	s := newSummary(stdout)
	good := true
	for _, group := range groups(args) {
		if err := s.run(group, stderr); err != nil {
			fmt.Fprintln(stderr, "testsum:", err)
			good = false
		}
	}
	if !s.close() || !good {
		return 1
	}
	return 0
}

// groups splits the arguments at each "--".
func groups(args []string) [][]string {
	out := [][]string{nil}
	for _, a := range args {
		if a == "--" {
			out = append(out, nil)
			continue
		}
		out[len(out)-1] = append(out[len(out)-1], a)
	}
	return out
}

// run adds what one run of go test says. That some test failed is an error too.
func (s *summary) run(args []string, stderr io.Writer) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readErr := s.read(events)
	if err := cmd.Wait(); err != nil {
		return errors.Join(readErr, fmt.Errorf("go test: %w", err))
	}
	return readErr
}
