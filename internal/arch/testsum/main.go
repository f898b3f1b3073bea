// Command testsum runs go test and fails on a failed test, on a skipped one and
// on a run without any test. It passes everything after its name to go test,
// prints the output of what failed and one line for each package, and ends with
// the line "N passed, N failed".
//
// A skipped test is a promise nobody checked, so it counts as failed.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run answers the exit status: 0 when every test ran and passed.
func run(args []string, stdout, stderr io.Writer) int {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	events, err := cmd.StdoutPipe()
	if err != nil {
		fmt.Fprintln(stderr, "testsum:", err)
		return 1
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(stderr, "testsum:", err)
		return 1
	}
	s := newSummary(stdout)
	readErr := s.read(events)
	waitErr := cmd.Wait()
	if readErr != nil {
		fmt.Fprintln(stderr, "testsum:", readErr)
	}
	good := s.close() && readErr == nil && waitErr == nil
	if !good {
		return 1
	}
	return 0
}
