package main

import (
	"context"
	"io"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/conformance/bench/measure"
	"github.com/mandate-health/mandate/internal/clock"
)

// Every mode runs in its shortest form: chains, a crowd of 256 connections in
// which no request fails, and rows loaded, met and cleaned. What the figures
// are says nothing here, but for those that have no noise.
func TestEveryModeRuns(t *testing.T) {
	o, err := readOptions([]string{"-short", "-binary", program(t), "-engines", "postgres", "-modes", "sealing,chain,crowd,logins,consents,growth"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	rep := &report{Durability: map[string]map[string]string{}}
	if err := rep.engine(t.Context(), o, enginePostgres, filepath.Join(t.TempDir(), "postgres"), io.Discard); err != nil {
		t.Fatal(err)
	}
	if err := rep.verdict(true); err != nil {
		t.Error(err)
	}
	if len(rep.Outcomes) > 0 {
		t.Error("workloads ran although nobody asked for them")
	}
	seen := map[string]int{}
	for _, f := range rep.Findings {
		seen[f.Mode]++
		if math.IsNaN(float64(f.Value)) {
			t.Errorf("%s, %s: not measured", f.Mode, f.What)
		}
	}
	if seen["sealing"] != 4 || seen["chain"] != 4 || seen["crowd"] != 15 || seen["logins"] != 5 || seen["consents"] != 13 || seen["growth"] != 11 {
		t.Errorf("%v", seen)
	}
	var out strings.Builder
	if err := rep.findings(&out, enginePostgres); err != nil || !strings.Contains(out.String(), "bytes per live token") {
		t.Errorf("%s %v", out.String(), err)
	}
}

// A finding is missed on the wrong side of its goal, or when there is none; only
// exact ones fail a gated run.
func TestFindingsAreJudged(t *testing.T) {
	nan := number(math.NaN())
	for _, c := range []struct {
		f      finding
		missed bool
	}{
		{finding{Value: 2, Sign: atLeast, Goal: 2}, false},
		{finding{Value: 1.9, Sign: atLeast, Goal: 2}, true},
		{finding{Value: 0, Sign: atMost}, false},
		{finding{Value: 1, Sign: atMost}, true},
		{finding{Value: nan, Sign: atMost, Goal: 9}, true},
		{finding{Value: nan}, false},
	} {
		if c.f.missed() != c.missed {
			t.Errorf("%+v", c.f)
		}
		rep := &report{Findings: []finding{c.f}}
		if err := rep.verdict(true); err != nil {
			t.Errorf("not exact: %v", err)
		}
		rep.Findings[0].Exact = true
		if err := rep.verdict(true); (err != nil) != c.missed {
			t.Errorf("%+v: %v", c.f, err)
		}
	}
}

// The embedded engine is asked for half of what PostgreSQL is.
func TestTheEmbeddedEngineIsAskedForHalf(t *testing.T) {
	g := goal{0.6, 1.6, 1, 900, 1}
	if got := g.on(engineEmbedded); got != (goal{rate: 0.3, cpu: 3.2}) || g.on(enginePostgres) != g {
		t.Errorf("%+v", got)
	}
}

// A 503 that says when to come again is no failure; any other answer is.
func TestComingAgainIsNoFailure(t *testing.T) {
	asked := answer{status: 503, header: map[string][]string{"Retry-After": {"1"}}}
	curt := answer{status: 503}
	answers := []answer{asked, curt, asked}
	var count tally
	op := count.counted(func(context.Context) error {
		a := answers[0]
		answers = answers[1:]
		return refused("no token", a)
	})
	got := measure.Run(t.Context(), clock.System{}, measure.Limits{Ops: 3, Duration: time.Minute}, []measure.Op{op})
	if got.Errors != 1 || count.away.Load() != 2 || count.failed.Load() != 1 || count.fine.Load() != 0 {
		t.Errorf("%+v, come again %d", got, count.away.Load())
	}
}
