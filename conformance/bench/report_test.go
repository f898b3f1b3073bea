package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sample() *report {
	nan := number(math.NaN())
	return &report{
		Machine:    "a machine",
		Durability: map[string]map[string]string{enginePostgres: {"mandate": "full", "floor": "full"}},
		Starts:     []startFigures{{Engine: enginePostgres, DevReady: 900, DevToken: 950, DevIdle: 100 << 20, ServeReady: 80, ServeIdle: 60 << 20}},
		Outcomes: []outcome{
			{
				Engine: enginePostgres, Workload: "tokens", Reads: 2, FloorReads: 1, goal: goal{0.65, 1.6, 1, 900, 1},
				Rows: []row{
					{Connections: 1, Subject: phase{Server: "mandate", Rate: 10, WAL: 950}, Against: phase{Rate: 100}, Ratio: 0.1, CPURatio: 9},
					{Connections: 16, Subject: phase{Server: "mandate", Rate: 80, Commits: 2, WAL: 950, Errors: 3, FirstError: "no token"}, Against: phase{Rate: 100}, Ratio: 0.8, CPURatio: 1.7},
				},
			},
			{Engine: engineEmbedded, Workload: "other", Reads: nan, FloorReads: nan, Rows: []row{{Connections: 16, Ratio: nan, CPURatio: nan}}},
		},
	}
}

func TestTheTableNamesGoalsOnlyWhereTheyAreMissed(t *testing.T) {
	var out strings.Builder
	if err := sample().human(&out, enginePostgres); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"durability of mandate: full", "ready after 900 ms, first token after 950 ms, idle 100 MB", "first 200 after 80 ms", "2.00 (goal ≤ 1)", "950 (goal ≤ 900)", "1.70 (goal ≤ 1.6)", "0.80", "3+0", "tokens, 16 connections, mandate: no token"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, wrong := range []string{"0.80 (goal", "0.10 (goal", "other", "NaN"} {
		if strings.Contains(text, wrong) {
			t.Errorf("%q in\n%s", wrong, text)
		}
	}
}

func TestWhatWasNotMeasuredIsNull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	if err := sample().save(path); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Workloads []struct {
			Reads *float64 `json:"reads_per_request"`
			Rows  []struct {
				Ratio *float64 `json:"rate_ratio"`
			} `json:"rows"`
		} `json:"workloads"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if c := got.Workloads[0].Reads; c == nil || *c != 2 {
		t.Errorf("commits: %v", c)
	}
	if other := got.Workloads[1]; other.Reads != nil || other.Rows[0].Ratio != nil {
		t.Errorf("%+v", other)
	}
	for n, want := range map[number]string{1.5: "1.5", number(math.Inf(1)): "null", 0: "0"} {
		if b, err := json.Marshal(n); err != nil || string(b) != want {
			t.Errorf("%v is written %s %v", float64(n), b, err)
		}
	}
}

// Only the exact figures fail a gated run.
func TestTheGateJudgesCommitsWALAndFailures(t *testing.T) {
	rep := sample()
	if err := rep.verdict(false); err != nil {
		t.Errorf("not asked: %v", err)
	}
	err := rep.verdict(true)
	if err == nil {
		t.Fatal("the gate is open")
	}
	for _, want := range []string{"tokens: 2 commits per request, at most 1", "tokens: 2 reads per request, at most 1", "tokens: 950 bytes of WAL", "3 requests failed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	rep.Outcomes[0].Reads, rep.Outcomes[0].Rows[1].Subject = 1.02, phase{Commits: 1.02, WAL: 901}
	if err := rep.verdict(true); err != nil {
		t.Errorf("within the goals: %v", err)
	}
}
