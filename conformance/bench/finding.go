package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// finding is one figure of a mode beside the workloads.
type finding struct {
	Engine string `json:"engine"`
	Mode   string `json:"mode"`
	What   string `json:"what"`
	Value  number `json:"value"`
	// Sign and Goal are what the design asks for: atLeast or atMost the goal; no
	// sign asks for nothing.
	Sign string  `json:"sign,omitempty"`
	Goal float64 `json:"goal"`
	// Exact figures have little noise, so that a gated run holds them.
	Exact bool `json:"exact"`
}

// The signs of a goal.
const (
	atLeast = "≥"
	atMost  = "≤"
)

// missed reports whether the figure is not what was asked for. What could not
// be measured is missed as well.
func (f finding) missed() bool {
	v := float64(f.Value)
	switch f.Sign {
	case atLeast:
		return !(v >= f.Goal)
	case atMost:
		return !(v <= f.Goal)
	}
	return false
}

// goal tells what was asked for.
func (f finding) goal() string {
	if f.Sign == "" {
		return ""
	}
	return fmt.Sprintf("%s %g", f.Sign, f.Goal)
}

// findings writes the figures of one engine.
func (rep *report) findings(w io.Writer, engine string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range rep.Findings {
		if f.Engine != engine {
			continue
		}
		note := ""
		if f.missed() {
			note = "missed"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.Mode, f.What, f.Value.text("%.4g"), f.goal(), note)
	}
	return t.Flush()
}
