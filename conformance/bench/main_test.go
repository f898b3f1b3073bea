package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/testrun"
)

// The floor is this program started again, in a test too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && (os.Args[1] == floorCommand || os.Args[1] == proxyCommand) {
		if err := run(context.Background(), os.Args[1:], os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	_ = os.RemoveAll(built.dir)
	os.Exit(code)
}

// built is the program that is measured, built once.
var built struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// program gives the path of the program.
func program(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "mandate-bench-test-"); built.err == nil {
			built.path, built.err = testrun.Build(context.Background(), built.dir)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.path
}

func TestFlagsAreReadOrRefused(t *testing.T) {
	o, err := readOptions(nil, io.Discard)
	if err != nil || !slices.Equal(o.engines, []string{"postgres", "embedded"}) || !slices.Equal(o.connections, []int{1, 16, 64}) {
		t.Errorf("without flags: %+v %v", o, err)
	}
	if o, err := readOptions([]string{"-quick", "-engines", "embedded"}, io.Discard); err != nil || o.duration != time.Second || !slices.Equal(o.connections, []int{16}) {
		t.Errorf("-quick: %+v %v", o, err)
	}
	for _, bad := range []string{
		"-engines oracle", "-engines postgres,,embedded", "-connections 0", "-connections x", "-connections 1,5000", "-duration 0s", "-requests 1", "-only (", "-settle -1s", "more",
		"-modes most", "-modes", "-size 1", "-length 0", "-modes growth -engines embedded",
	} {
		if _, err := readOptions(strings.Fields(bad), io.Discard); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	var help strings.Builder
	if _, err := readOptions([]string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
	if text := help.String(); !strings.Contains(text, "Usage: go run ./conformance/bench") || strings.Contains(text, floorCommand+" ") && !strings.Contains(text, "floor: a server") {
		t.Errorf("the help says %q", text)
	}
}

// brief measures shortly, on the embedded engine.
func brief(t *testing.T, more ...string) *report {
	t.Helper()
	o, err := readOptions(append([]string{"-binary", program(t), "-engines", "embedded", "-connections", "2", "-duration", "50ms", "-warm", "0s", "-requests", "10", "-idle", "0s"},
		more...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.drain = 0
	rep := &report{Durability: map[string]map[string]string{}}
	if err := rep.engine(t.Context(), o, engineEmbedded, filepath.Join(t.TempDir(), "embedded"), io.Discard); err != nil {
		t.Fatal(err)
	}
	return rep
}

// Every workload runs against a started server and its floor, and none of its
// requests fails. How fast it is says nothing here.
func TestEveryWorkloadRuns(t *testing.T) {
	rep := brief(t)
	ran := len(rep.Outcomes)
	var told strings.Builder
	for _, f := range rep.Findings {
		fmt.Fprintln(&told, f.Mode, f.What, f.Value.text("%g"))
		if f.What == errAbsent.Error()+": no program haproxy" {
			ran++
		}
	}
	if ran != len(workloads()) {
		t.Errorf("%d of %d workloads ran", ran, len(workloads()))
	}
	for _, want := range []string{"FHIR read 2 connections: the audit queue's flush, p50, ms ", "FHIR read 2 connections: added p50 beside the flush, ms "} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("no %q in\n%s", want, told.String())
		}
	}
	for _, out := range rep.Outcomes {
		for _, x := range out.Rows {
			for _, p := range []phase{x.Subject, x.Against} {
				if p.Ops == 0 || p.Errors > 0 {
					t.Errorf("%s, %s: %d answered, %d failed: %s", out.Workload, p.Server, p.Ops, p.Errors, p.FirstError)
				}
			}
			if !(x.Ratio > 0) || x.Subject.Peak == 0 || !(x.Subject.Objects > 0) || !(x.Subject.Bytes > x.Subject.Objects) {
				t.Errorf("%s: %+v", out.Workload, x)
			}
		}
	}
	for _, s := range rep.Starts {
		if s.ServeBusy < s.ServeIdle/2 {
			t.Errorf("memory under load: %+v", s)
		}
		if s.DevReady <= 0 || s.DevToken < s.DevReady || s.DevIdle == 0 || s.ServeReady <= 0 || s.ServeIdle == 0 {
			t.Errorf("start figures: %+v", s)
		}
	}
}

// A phase that is profiled leaves what go tool pprof reads: gzip, never empty.
func TestAPhaseIsProfiled(t *testing.T) {
	profiles := t.TempDir()
	brief(t, "-only", "discovery", "-profile", profiles)
	for _, what := range []string{"before", "cpu", "after"} {
		raw, err := os.ReadFile(filepath.Join(profiles, "discovery-SMART-JWKS-2-"+what+".pprof"))
		if err != nil || !strings.HasPrefix(string(raw), "\x1f\x8b") {
			t.Errorf("%s: %d bytes, %v", what, len(raw), err)
		}
	}
}

// costs are what a request may cost: transactions that write, bytes of the
// database's log and allocations of the server. They are today's figures and a
// quarter for a node's own work, of which more falls into a run the slower the
// machine is; nobody need believe its clock. What is won is taken off here.
var costs = map[string]struct{ commits, wal, allocs float64 }{
	"client_credentials secret": {1.2, 500, 340},
	"client_credentials RS384":  {1.2, 850, 480},
	"client_credentials ES384":  {1.2, 850, 510},
	"code flow, RS256 id_token": {3.3, 3600, 2600},
	"refresh with rotation":     {1.2, 950, 470},
	"introspection, JWT":        {0.3, 850, 260},
	"introspection, opaque":     {0.3, 850, 230},
}

// The costs of a request are held in every run of the tests: one commit for a
// token, three for the code flow, a part of one for an introspection.
func TestARequestCostsTheStoreNoMore(t *testing.T) {
	binary := program(t)
	o, err := readOptions([]string{"-binary", binary, "-engines", "postgres", "-connections", "16", "-duration", "2s", "-warm", "100ms",
		"-requests", "800", "-idle", "0s", "-settle", "0s", "-only", "client_credentials|RS256|refresh|introspection"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rep := &report{Durability: map[string]map[string]string{}}
	if err := rep.engine(t.Context(), o, enginePostgres, filepath.Join(t.TempDir(), "postgres"), io.Discard); err != nil {
		t.Fatal(err)
	}
	if rep.failures() > 0 {
		t.Errorf("%d requests failed", rep.failures())
	}
	if len(rep.Outcomes) != len(costs) {
		t.Errorf("%d workloads were measured, and %d have bounds", len(rep.Outcomes), len(costs))
	}
	for _, out := range rep.Outcomes {
		most := costs[out.Workload]
		for _, x := range out.Rows {
			for _, c := range []struct {
				what  string
				got   number
				bound float64
			}{{"commits", x.Subject.Commits, most.commits}, {"bytes of WAL", x.Subject.WAL, most.wal}, {"allocations", x.Subject.Objects, most.allocs}} {
				if !(float64(c.got) <= c.bound) {
					t.Errorf("%s: %s %s a request, at most %g", out.Workload, c.got.text("%.4g"), c.what, c.bound)
				}
			}
		}
	}
}

// A server that does not start is told with what it said.
func TestAServerThatEndsAtItsStartIsAnError(t *testing.T) {
	dir := t.TempDir()
	r := &rig{options: options{binary: "/bin/false"}, engine: engineEmbedded, dir: dir, clock: clock.System{}}
	_, err := r.open(t.Context())
	if err == nil || !strings.Contains(err.Error(), "ended at its start") {
		t.Errorf("got %v", err)
	}
	if err := r.close(t.Context()); err == nil {
		t.Error("an exit status other than 0 was not reported")
	}
}
