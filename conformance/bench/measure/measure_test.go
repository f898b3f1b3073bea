package measure

import (
	"context"
	"errors"
	"math"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/mandate-health/mandate/internal/clock"
)

func TestPercentileIsTheNearestRank(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	for _, c := range []struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{nil, 50, 0},
		{[]time.Duration{7}, 50, 7},
		{[]time.Duration{7}, 99, 7},
		{[]time.Duration{3, 1, 2, 4}, 50, 2},
		{[]time.Duration{3, 1, 2, 4}, 99, 4},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
	} {
		if got := Percentile(c.values, c.p); got != c.want {
			t.Errorf("Percentile(%v, %v) = %d, want %d", c.values, c.p, got, c.want)
		}
	}
}

// At least p percent of the values are at most the percentile, and it is one of
// them.
func TestPercentileCoversItsShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 50), func(n int) time.Duration { return time.Duration(n) }), 1, 200).Draw(t, "values")
		p := rapid.Float64Range(0.1, 100).Draw(t, "p")
		got := Percentile(values, p)
		var below, same int
		for _, v := range values {
			if v <= got {
				below++
			}
			if v == got {
				same++
			}
		}
		if same == 0 || float64(below) < p/100*float64(len(values))-1e-9 {
			t.Fatalf("%v%% of %v is %d: %d of %d are not above", p, values, got, below, len(values))
		}
	})
}

func TestRatioSaysNothingWithoutAFloor(t *testing.T) {
	if got := Ratio(3, 2); got != 1.5 {
		t.Errorf("3/2 = %v", got)
	}
	if !math.IsNaN(Ratio(3, 0)) || !math.IsNaN(Per(3, 0)) {
		t.Error("a ratio to nothing must be NaN")
	}
	if got := Per(10, 4); got != 2.5 {
		t.Errorf("10 per 4 = %v", got)
	}
}

func TestRunEndsAtTheNumberOfRequests(t *testing.T) {
	var sent atomic.Int64
	op := func(context.Context) error { sent.Add(1); return nil }
	r := Run(t.Context(), clock.System{}, Limits{Ops: 100}, []Op{op, op, op})
	if r.Ops != 100 || sent.Load() != 100 || r.Errors != 0 {
		t.Errorf("%+v after %d sent", r, sent.Load())
	}
	if r.Elapsed <= 0 || r.Rate() <= 0 {
		t.Errorf("no time passed: %+v", r)
	}
}

func TestRunEndsWithTheTime(t *testing.T) {
	clk := &clock.Movable{}
	op := func(context.Context) error { clk.Advance(time.Minute); return nil }
	r := Run(t.Context(), clk, Limits{Duration: 10 * time.Minute}, []Op{op})
	if r.Ops != 10 {
		t.Errorf("%d requests of a minute in ten minutes", r.Ops)
	}
	if r.P50 < time.Minute || r.P50 > time.Minute+time.Second {
		t.Errorf("the median of a minute each is %s", r.P50)
	}
}

func TestRunCountsFailuresApart(t *testing.T) {
	n := 0
	op := func(context.Context) error {
		n++
		switch {
		case n > 5:
			return ErrExhausted
		case n == 2:
			return errors.New("refused")
		}
		return nil
	}
	r := Run(t.Context(), clock.System{}, Limits{Ops: 1000}, []Op{op})
	if r.Ops != 4 || r.Errors != 1 || r.FirstError != "refused" {
		t.Errorf("%+v", r)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	op := func(context.Context) error { cancel(); return nil }
	if r := Run(ctx, clock.System{}, Limits{Ops: 1000}, []Op{op}); r.Ops != 1 {
		t.Errorf("%+v", r)
	}
}

func TestStatIsReadBehindTheName(t *testing.T) {
	const rest = " S 1 2 3 0 -1 4194560 9 0 0 0 150 25 7 7 20 0 9 0 100 1000 50"
	for _, name := range []string{"mandate", "a b", "odd) R (name"} {
		got, err := parseStat("42 (" + name + ")" + rest)
		if err != nil || got != 1750*time.Millisecond {
			t.Errorf("%q: %s %v, want 1.75s", name, got, err)
		}
	}
	for _, bad := range []string{"", "42 (x) S 1", "no name at all", "42 (x) S 1 2 3 0 -1 4194560 9 0 0 0 abc 25 7"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestStatusIsReadInBytes(t *testing.T) {
	m, err := parseStatus("Name:\tmandate\nVmHWM:\t  2048 kB\nVmRSS:\t 1024 kB\nRssAnon:\t     512 kB\nRssFile: 1 kB\n")
	if want := (Memory{Resident: 1 << 20, Anonymous: 512 << 10, Peak: 2 << 20}); err != nil || m != want {
		t.Errorf("%+v %v, want %+v", m, err, want)
	}
	for _, bad := range []string{"", "VmRSS: 1 kB\n", "VmHWM: x kB\nVmRSS: 1 kB\nRssAnon: 1 kB\n", "VmHWM: 1 MB\nVmRSS: 1 kB\nRssAnon: 1 kB\n"} {
		if _, err := parseStatus(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestThisProcessCanBeMeasured(t *testing.T) {
	pid := os.Getpid()
	if _, err := CPU(pid); err != nil {
		t.Error(err)
	}
	if err := ResetPeak(pid); err != nil {
		t.Error(err)
	}
	m, err := ReadMemory(pid)
	if err != nil || m.Resident <= 0 || m.Anonymous <= 0 || m.Anonymous > m.Resident || m.Peak <= 0 {
		t.Errorf("%+v %v", m, err)
	}
	if _, err := CPU(0); err == nil {
		t.Error("process 0 was measured")
	}
}

// A paced worker waits for its turn, and no longer when the run ends.
func TestPacedWorkersWaitForTheirTurn(t *testing.T) {
	var n atomic.Int64
	op := func(context.Context) error { n.Add(1); return nil }
	got := Run(t.Context(), clock.System{}, Limits{Ops: 3, Every: time.Millisecond}, []Op{op})
	if got.Ops != 3 || n.Load() != 3 {
		t.Errorf("%+v", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := Run(ctx, clock.System{}, Limits{Ops: 3, Every: time.Hour}, []Op{op}); got.Ops != 0 {
		t.Errorf("%+v", got)
	}
}
