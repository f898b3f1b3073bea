package main

import (
	"encoding/json"
	"math"
	"net/http"
	"runtime/metrics"
)

// countsPath is where a development server tells what it has allocated so far.
const countsPath = "/dev/profile/counts"

// allocated is what a process has allocated since its start.
type allocated struct {
	Objects uint64 `json:"objects"`
	Bytes   uint64 `json:"bytes"`
}

// counts asks a server for them.
func (r *rig) counts(s *side) (allocated, error) {
	var a allocated
	return a, r.told(s, countsPath, &a)
}

// told reads what a development server tells of itself.
func (r *rig) told(s *side, path string, into any) error {
	c := &conn{addr: s.addr, clock: r.clock}
	defer c.close()
	got, err := c.send(request{method: http.MethodGet, path: path, host: s.host}.bytes())
	if err != nil {
		return err
	}
	if got.status != http.StatusOK {
		return refused("nothing is told at "+path, got)
	}
	return json.Unmarshal(got.body, into)
}

// tellCounts answers as a development server does.
func tellCounts(w http.ResponseWriter, _ *http.Request) {
	seen := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(seen)
	raw, err := json.Marshal(allocated{seen[0].Value.Uint64(), seen[1].Value.Uint64()})
	if err != nil {
		fail(w, err)
		return
	}
	answerJSON(w, raw)
}

// waitsPath is where a development server tells how many audit events became
// durable within each step of time after they had been handed over.
const waitsPath = "/dev/profile/waits"

// waits are such counts.
type waits struct {
	Step   int64   `json:"step_us"`
	Events []int64 `json:"events"`
}

// flushes asks the measured server for them; nobody else has any.
func (r *rig) flushes(s *side) (w waits, err error) {
	if s != r.mandate {
		return w, nil
	}
	return w, r.told(s, waitsPath, &w)
}

// median gives how long, in milliseconds, half of the events since before waited;
// NaN where there were none.
func (w waits) median(before waits) number {
	fresh, all := make([]int64, len(w.Events)), int64(0)
	for i, n := range w.Events {
		if fresh[i] = n; i < len(before.Events) {
			fresh[i] -= before.Events[i]
		}
		all += fresh[i]
	}
	below := int64(0)
	for i, n := range fresh {
		if below += n; n > 0 && 2*below >= all {
			return number((float64(i) + 0.5) * float64(w.Step) / 1000)
		}
	}
	return number(math.NaN())
}
