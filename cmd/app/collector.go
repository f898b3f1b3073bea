package app

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How the garbage collector is set.
const (
	// collectEvery is how often the load is looked at.
	collectEvery = time.Second
	// busyBytes is how much a busy server allocates in that time: some hundred
	// requests.
	busyBytes = 8 << 20
	// busyHeap is how large the heap of a busy server may grow before it is
	// collected, so that the process stays below 200 MB.
	busyHeap = 104 << 20
	// restPercent is Go's own setting, mostPercent the greatest that is taken.
	restPercent, mostPercent = 100, 400
	// mostMemory is what a small heap may take with all that belongs to it,
	// before it is collected more often: log-ins that come at once would else
	// multiply the memory of their hashes by the percentage.
	mostMemory = 144 << 20
)

// collectorPercent gives GOGC for a heap of which live bytes are in use, after
// a second in which so many bytes were allocated. The heap of a server is
// small beside what it allocates in a second, so that Go's own setting collects
// several times a second; an idle one keeps no memory for that.
func collectorPercent(live, allocated uint64) int {
	if allocated < busyBytes || live == 0 || live >= busyHeap {
		return restPercent
	}
	return int(min(max((busyHeap-live)*100/live, restPercent), mostPercent))
}

// collectorLimit gives the memory limit for a heap of which live bytes are in
// use: a large one may double, as by Go's own setting.
func collectorLimit(live uint64) uint64 { return max(mostMemory, 2*live) }

// tuneCollector follows the load until ctx ends. Who sets GOGC or GOMEMLIMIT has
// decided.
func tuneCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	seen := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(seen)
	set, limit, before := restPercent, uint64(mostMemory), seen[1].Value.Uint64()
	unlimited := debug.SetMemoryLimit(mostMemory)
	defer debug.SetMemoryLimit(unlimited)
	defer debug.SetGCPercent(restPercent)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(seen)
		live, sum := seen[0].Value.Uint64(), seen[1].Value.Uint64()
		// Setting it stops the world, so small moves are not followed.
		if next := collectorPercent(live, sum-before); next >= set+set/4 || next <= set-set/4 {
			debug.SetGCPercent(next)
			set = next
		}
		if next := collectorLimit(live); next > limit || next <= limit-limit/4 {
			debug.SetMemoryLimit(int64(min(next, math.MaxInt64)))
			limit = next
		}
		before = sum
	}
}
