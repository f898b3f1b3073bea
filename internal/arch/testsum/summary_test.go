package main

import (
	"fmt"
	"strings"
	"testing"
)

func summarise(t *testing.T, events ...string) (string, bool) {
	t.Helper()
	var out strings.Builder
	s := newSummary(&out)
	if err := s.read(strings.NewReader(strings.Join(events, "\n") + "\n")); err != nil {
		t.Fatal(err)
	}
	good := s.close()
	return out.String(), good
}

const (
	passA    = `{"Action":"pass","Package":"m/a","Test":"TestA"}`
	packPass = `{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t0.1s\n"}` + "\n" + `{"Action":"pass","Package":"m/a"}`
)

func TestAllPassed(t *testing.T) {
	out, good := summarise(t, passA, packPass)
	if !good || !strings.HasSuffix(out, "\n1 passed, 0 failed\n") || !strings.Contains(out, "ok  \tm/a") {
		t.Errorf("good %v, said:\n%s", good, out)
	}
}

func TestSkippedTestFailsTheRun(t *testing.T) {
	out, good := summarise(t, passA,
		`{"Action":"output","Package":"m/a","Test":"TestB","Output":"no database\n"}`,
		`{"Action":"skip","Package":"m/a","Test":"TestB"}`, packPass)
	if good || !strings.Contains(out, "SKIPPED m/a TestB") || !strings.Contains(out, "no database") ||
		!strings.HasSuffix(out, "\n1 passed, 1 failed\n") {
		t.Errorf("good %v, said:\n%s", good, out)
	}
}

func TestFailedTestShowsItsOutput(t *testing.T) {
	out, good := summarise(t, passA,
		`{"Action":"output","Package":"m/a","Test":"TestA2","Output":"quiet\n"}`,
		`{"Action":"pass","Package":"m/a","Test":"TestA2"}`,
		`{"Action":"output","Package":"m/a","Test":"TestB","Output":"want 1, got 2\n"}`,
		`{"Action":"fail","Package":"m/a","Test":"TestB"}`,
		`{"Action":"fail","Package":"m/a"}`)
	if good || !strings.Contains(out, "want 1, got 2") || strings.Contains(out, "quiet") ||
		!strings.HasSuffix(out, "\n2 passed, 1 failed\n") {
		t.Errorf("good %v, said:\n%s", good, out)
	}
}

func TestPackageWithoutTestsIsNoSkip(t *testing.T) {
	out, good := summarise(t, passA, packPass,
		`{"Action":"output","Package":"m/b","Output":"?   \tm/b\t[no test files]\n"}`,
		`{"Action":"skip","Package":"m/b"}`)
	if !good || !strings.Contains(out, "[no test files]") {
		t.Errorf("good %v, said:\n%s", good, out)
	}
}

func TestBuildErrorIsShownAndFails(t *testing.T) {
	out, good := summarise(t, passA,
		`{"ImportPath":"m/c [m/c.test]","Action":"build-output","Output":"c.go:1: undefined: x\n"}`,
		`{"ImportPath":"m/c [m/c.test]","Action":"build-fail"}`,
		`{"Action":"output","Package":"m/c","Output":"FAIL\tm/c [build failed]\n"}`,
		`{"Action":"fail","Package":"m/c","FailedBuild":"m/c [m/c.test]"}`)
	if good || !strings.Contains(out, "undefined: x") || !strings.HasSuffix(out, "\n1 passed, 1 failed\n") {
		t.Errorf("good %v, said:\n%s", good, out)
	}
}

func TestCrashShowsTheUnfinishedTest(t *testing.T) {
	out, good := summarise(t,
		`{"Action":"output","Package":"m/a","Test":"TestB","Output":"panic: time limit\n"}`,
		`{"Action":"output","Package":"m/a","Output":"FAIL\tm/a\t600s\n"}`,
		`{"Action":"fail","Package":"m/a"}`)
	if good || !strings.Contains(out, "UNFINISHED m/a TestB") || !strings.Contains(out, "panic: time limit") {
		t.Errorf("good %v, said:\n%s", good, out)
	}
}

func TestNoTestAtAllFails(t *testing.T) {
	if out, good := summarise(t, "go: cannot find main module"); good || !strings.Contains(out, "cannot find main module") {
		t.Errorf("good %v, said:\n%s", good, out)
	}
}

func TestArgumentsOfSeveralRuns(t *testing.T) {
	for text, want := range map[string]string{
		"./...":                         "[[./...]]",
		"-count=1 ./... -- -tags x ./a": "[[-count=1 ./...] [-tags x ./a]]",
	} {
		if got := fmt.Sprint(groups(strings.Fields(text))); got != want {
			t.Errorf("%q is split into %s", text, got)
		}
	}
}
