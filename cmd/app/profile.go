package app

import (
	"encoding/json"
	"net/http"
	"runtime"
	"runtime/metrics"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/route"
)

// profileSpan is for how many seconds the processor is watched when nothing is
// asked for, and profileMost the longest.
const profileSpan, profileMost = 10, 60

// profileRoutes are profiles for `go tool pprof`. They hold names of functions
// and no data.
func (t *tenant) profileRoutes() []route.Route {
	on := func(what string, h http.HandlerFunc) route.Route {
		return route.Route{Method: "GET", Path: "/dev/profile/" + what, Auth: route.Dev, PHI: route.NoPHI, Owner: ownerDev, Handler: h}
	}
	return []route.Route{
		on("cpu", t.profileCPU),
		on("allocs", t.profileAllocs),
		on("counts", profileCounts),
		on("waits", t.profileWaits),
	}
}

// profileAllocs tells where memory was allocated since the start. What was
// allocated since the last collection is told only after the next.
func (t *tenant) profileAllocs(w http.ResponseWriter, _ *http.Request) {
	runtime.GC()
	profileHeader(w)
	_ = pprof.Lookup("allocs").WriteTo(w, 0)
}

// profileCPU watches the processor for ?seconds=. Only one is taken at a time.
func (t *tenant) profileCPU(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.FormValue("seconds"))
	if err != nil {
		seconds = profileSpan
	}
	profileHeader(w)
	if err := pprof.StartCPUProfile(w); err != nil {
		t.problem.JSON(w, r, errs.Wrap(err, errs.Conflict, "profile-running", "A profile is being taken already."))
		return
	}
	defer pprof.StopCPUProfile()
	end := time.NewTimer(time.Duration(min(max(seconds, 1), profileMost)) * time.Second)
	defer end.Stop()
	select {
	case <-end.C:
	case <-r.Context().Done():
	}
}

// profileCounts tells how many objects and bytes were allocated since the start,
// exactly, where the profile has a sample.
func profileCounts(w http.ResponseWriter, _ *http.Request) {
	seen := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(seen)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]uint64{"objects": seen[0].Value.Uint64(), "bytes": seen[1].Value.Uint64()})
}

// profileWaits tells how many audit events became durable within each step of
// time after they were handed to the queue.
func (t *tenant) profileWaits(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(struct {
		StepMicroseconds int64   `json:"step_us"`
		Events           []int64 `json:"events"`
	}{audit.WaitStep.Microseconds(), t.queue.Waits()})
}

func profileHeader(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
}
