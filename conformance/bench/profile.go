package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// profiled runs a phase, where profiles are wanted while the server takes them of
// itself: "-cpu" over the time of the phase, and allocations "-before" and
// "-after" it, for go tool pprof -base.
func (r *rig) profiled(s *side, name string, phase func()) error {
	if r.profile == "" || s != r.mandate {
		phase()
		return nil
	}
	name = filepath.Join(r.profile, strings.NewReplacer(", ", "-", " ", "-").Replace(name))
	if err := r.saveProfile("allocs", name+"-before.pprof"); err != nil {
		return err
	}
	watched := make(chan error, 1)
	go func() {
		watched <- r.saveProfile(fmt.Sprintf("cpu?seconds=%d", max(1, int(r.duration.Seconds()))), name+"-cpu.pprof")
	}()
	phase()
	if err := <-watched; err != nil {
		return err
	}
	return r.saveProfile("allocs", name+"-after.pprof")
}

// saveProfile asks a development server for a profile of itself.
func (r *rig) saveProfile(what, path string) error {
	c := &conn{addr: r.mandate.addr, clock: r.clock}
	defer c.close()
	got, err := c.send(request{method: http.MethodGet, path: "/dev/profile/" + what, host: r.mandate.host}.bytes())
	if err != nil {
		return err
	}
	if got.status != http.StatusOK {
		return refused("no profile", got)
	}
	return os.WriteFile(path, got.body, 0o600)
}
