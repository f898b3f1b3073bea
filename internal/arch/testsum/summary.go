package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// event is one line of go test -json, and of the build output mixed into it.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// summary counts test results and shows what somebody has to look at.
type summary struct {
	out             io.Writer
	passed, failed  int
	skipped, broken []string
	// said keeps the output of each unfinished test, build and package.
	said map[string]*strings.Builder
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, said: map[string]*strings.Builder{}}
}

// read takes events until the end. A line that is no event is shown as it is:
// the go command prints some of its own errors so.
func (s *summary) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(s.out, line)
			} else {
				s.take(e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) take(e event) {
	key := e.Package + "\x00" + e.Test
	if e.ImportPath != "" {
		key = "build\x00" + e.ImportPath
	}
	switch e.Action {
	case "output", "build-output":
		if s.said[key] == nil {
			s.said[key] = &strings.Builder{}
		}
		s.said[key].WriteString(e.Output)
		return
	case "build-fail":
		fmt.Fprint(s.out, s.output(key))
	case "pass", "fail", "skip":
		if e.Test != "" {
			s.test(e, s.output(key))
		} else {
			s.pack(e, s.output(key))
		}
	default:
		return
	}
	delete(s.said, key)
}

func (s *summary) output(key string) string {
	if s.said[key] == nil {
		return ""
	}
	return s.said[key].String()
}

// test counts one test or subtest.
func (s *summary) test(e event, output string) {
	name := e.Package + " " + e.Test
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		fmt.Fprintf(s.out, "FAILED %s\n%s", name, indent(output))
	case "skip":
		s.failed++
		s.skipped = append(s.skipped, name)
		fmt.Fprintf(s.out, "SKIPPED %s (a skipped test counts as failed)\n%s", name, indent(output))
	}
}

// pack shows the line go test ends a package with. A package without tests
// answers "skip" and is only mentioned. A package that fails although none of
// its tests did (a build error, a crash, a time limit) shows all it said.
func (s *summary) pack(e event, output string) {
	if e.Action != "fail" {
		fmt.Fprint(s.out, lastLine(output))
		return
	}
	s.broken = append(s.broken, e.Package)
	unfinished := ""
	for key, said := range s.said {
		if test, mine := strings.CutPrefix(key, e.Package+"\x00"); mine && test != "" {
			unfinished += "UNFINISHED " + e.Package + " " + test + "\n" + indent(said.String())
			s.failed++
			delete(s.said, key)
		}
	}
	fmt.Fprint(s.out, unfinished+output)
}

// close prints the result and tells whether all is well.
func (s *summary) close() bool {
	if len(s.skipped) > 0 {
		fmt.Fprintf(s.out, "\nskipped, so counted as failed:\n\t%s\n", strings.Join(s.skipped, "\n\t"))
	}
	if len(s.broken) > 0 {
		fmt.Fprintf(s.out, "\npackages that failed:\n\t%s\n", strings.Join(s.broken, "\n\t"))
	}
	failed := s.failed
	if failed == 0 {
		failed = len(s.broken)
	}
	fmt.Fprintf(s.out, "\n%d passed, %d failed\n", s.passed, failed)
	return failed == 0 && s.passed > 0
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	return "\t" + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n\t") + "\n"
}

func lastLine(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:] + "\n"
}
