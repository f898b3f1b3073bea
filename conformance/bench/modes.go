package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// mode is a part of a run.
type mode struct {
	name string
	// run measures on a rig that is open.
	run func(*rig, context.Context) ([]finding, error)
}

// modeWorkloads names the part that measures the workloads side by side.
const modeWorkloads = "workloads"

// modes beside the workloads, in the order in which they run: growth is last,
// because it leaves a large store behind.
func modes() []mode {
	return []mode{
		{"sealing", (*rig).sealing},
		{"chain", (*rig).chain},
		{"crowd", (*rig).crowd},
		{"logins", (*rig).logins},
		{"consents", (*rig).consents},
		{"growth", (*rig).growth},
	}
}

// modeNames gives the names of all parts.
func modeNames() []string {
	names := []string{modeWorkloads}
	for _, m := range modes() {
		names = append(names, m.name)
	}
	return names
}

// wants reports whether a part is to be run.
func (o options) wants(name string) bool { return o.modes[name] }

// modes runs the parts that are asked for.
func (rep *report) modes(ctx context.Context, r *rig, log io.Writer) error {
	for _, m := range modes() {
		if !r.wants(m.name) {
			continue
		}
		fmt.Fprintf(log, "%s: %s\n", r.engine, m.name)
		found, err := m.run(r, ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		for _, f := range found {
			f.Engine, f.Mode = r.engine, m.name
			rep.Findings = append(rep.Findings, f)
		}
	}
	return nil
}

// readModes reads a list of parts.
func readModes(list string) (map[string]bool, error) {
	chosen := map[string]bool{}
	for name := range strings.SplitSeq(list, ",") {
		known := false
		for _, n := range modeNames() {
			if name == n || name == "all" {
				chosen[n], known = true, true
			}
		}
		if !known {
			return nil, fmt.Errorf("-modes: %q is none of %s or all", name, strings.Join(modeNames(), ", "))
		}
	}
	return chosen, nil
}
