package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"text/tabwriter"
)

// report is a whole run.
type report struct {
	// Machine is what ran it; figures of different machines do not compare.
	Machine    string                       `json:"machine"`
	Durability map[string]map[string]string `json:"durability"`
	Starts     []startFigures               `json:"starts"`
	Outcomes   []outcome                    `json:"workloads"`
	Findings   []finding                    `json:"findings,omitempty"`
}

func machine() string {
	return fmt.Sprintf("%s, %d processors, %s/%s; servers, store and driver share it", runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
}

// gateConnections is the row to which the goals apply.
const gateConnections = 16

func (n number) text(format string) string {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return "–"
	}
	return fmt.Sprintf(format, float64(n))
}

// judged adds what was asked for where a value misses it.
func (n number) judged(format string, missed bool, bound float64, sign string) string {
	text := n.text(format)
	if !missed || bound == 0 {
		return text
	}
	return fmt.Sprintf("%s (goal %s %g)", text, sign, bound)
}

// allowance is what counting may add: a connection that is opened or a
// statement that is prepared is a transaction, and pages are written whole
// once.
const allowance = 1.05

// What is asked of serve: milliseconds to its first answer, and MB of memory
// without requests and under load.
const (
	startGoal = 250
	idleGoal  = 90
	busyGoal  = 200
)

// on gives the goal on an engine: the embedded one is asked for half of the
// rates, and what only PostgreSQL counts is asked of nobody else.
func (g goal) on(engine string) goal {
	if engine == enginePostgres {
		return g
	}
	return goal{rate: g.rate / 2, cpu: 2 * g.cpu}
}

// heads of the table of one engine.
const heads = "workload\tc\treq/s\tfloor\tratio\tp50 ms\tp99 ms\tCPU s/1k\t÷ floor\tallocs\tKB\tpeak MB\tcommits\tfloor\treads\tfloor\tWAL B\tfloor\terrors\t"

// table writes the outcomes of one engine.
func (rep *report) table(w io.Writer, engine string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, heads)
	for _, o := range rep.Outcomes {
		if o.Engine != engine {
			continue
		}
		for _, x := range o.Rows {
			g := goal{}
			if x.Connections == gateConnections {
				g = o.goal.on(engine)
			}
			fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%d+%d\t\n",
				o.Workload, x.Connections, x.Subject.Rate.text("%.0f"), x.Against.Rate.text("%.0f"),
				x.Ratio.judged("%.2f", float64(x.Ratio) < g.rate, g.rate, "≥"), x.Subject.P50.text("%.2f"), x.Subject.P99.text("%.2f"),
				x.Subject.CPU.text("%.3f"), x.CPURatio.judged("%.2f", float64(x.CPURatio) > g.cpu, g.cpu, "≤"),
				x.Subject.Objects.text("%.0f"), (x.Subject.Bytes / 1024).text("%.0f"), x.Subject.Peak>>20,
				x.Subject.Commits.judged("%.2f", float64(x.Subject.Commits) > g.commits*allowance, g.commits, "≤"), x.Against.Commits.text("%.2f"),
				o.Reads.judged("%.2f", float64(o.Reads) > g.reads*allowance, g.reads, "≤"), o.FloorReads.text("%.2f"),
				x.Subject.WAL.judged("%.0f", float64(x.Subject.WAL) > g.wal*allowance, g.wal, "≤"), x.Against.WAL.text("%.0f"),
				x.Subject.Errors, x.Against.Errors)
		}
	}
	return t.Flush()
}

// human writes the report of one engine for people.
func (rep *report) human(w io.Writer, engine string) error {
	fmt.Fprintf(w, "\n%s store. %s\n", engine, rep.Machine)
	for _, side := range []string{"mandate", "floor"} {
		fmt.Fprintf(w, "durability of %s: %s\n", side, rep.Durability[engine][side])
	}
	for _, s := range rep.Starts {
		if s.Engine != engine {
			continue
		}
		fmt.Fprintf(w, "dev: ready after %s ms, first token after %s ms, idle %d MB (%d anonymous)\n",
			s.DevReady.text("%.0f"), s.DevToken.text("%.0f"), s.DevIdle>>20, s.DevIdleAnon>>20)
		if s.ServeIdle > 0 {
			fmt.Fprintf(w, "serve, migrated store: first 200 after %s, idle %s (%d anonymous), with %d connections at most %s\n",
				s.ServeReady.judged("%.0f ms", s.ServeReady > startGoal, startGoal, "≤"),
				number(s.ServeIdle>>20).judged("%.0f MB", s.ServeIdle>>20 >= idleGoal, idleGoal, "<"), s.ServeIdleAnon>>20,
				busyConnections, number(s.ServeBusy>>20).judged("%.0f MB", s.ServeBusy>>20 >= busyGoal, busyGoal, "<"))
		}
	}
	fmt.Fprintln(w, "CPU and memory are those of the server alone, without the store and the upstream.",
		"In the FHIR rows the floor is the upstream asked directly, or a plain proxy before it.")
	if err := errors.Join(rep.table(w, engine), rep.findings(w, engine)); err != nil {
		return err
	}
	for _, o := range rep.Outcomes {
		for _, x := range o.Rows {
			for _, p := range []phase{x.Subject, x.Against} {
				if o.Engine == engine && p.FirstError != "" {
					fmt.Fprintf(w, "%s, %d connections, %s: %s\n", o.Workload, x.Connections, p.Server, p.FirstError)
				}
			}
		}
	}
	return nil
}

// cpuAllowance is what a busy machine may add to the ratio of processor times.
const cpuAllowance = 1.15

// misses names the goals that the figures with little noise do not reach:
// commits, reads and WAL, which are exact, processor time, and what the modes
// mark as exact.
func (rep *report) misses() []string {
	var out []string
	for _, f := range rep.Findings {
		if f.Exact && f.missed() {
			out = append(out, fmt.Sprintf("%s, %s: %s, %s", f.Mode, f.What, f.Value.text("%.4g"), f.goal()))
		}
	}
	for _, o := range rep.Outcomes {
		if o.Engine != enginePostgres {
			continue
		}
		miss := func(got number, bound, slack float64, what string) {
			if bound > 0 && float64(got) > bound*slack {
				out = append(out, fmt.Sprintf("%s: %s %s, at most %g", o.Workload, got.text("%.4g"), what, bound))
			}
		}
		miss(o.Reads, o.goal.reads, allowance, "reads per request")
		for _, x := range o.Rows {
			if x.Connections != gateConnections {
				continue
			}
			miss(x.Subject.Commits, o.goal.commits, allowance, "commits per request")
			miss(x.Subject.WAL, o.goal.wal, allowance, "bytes of WAL per request")
			miss(x.CPURatio, o.goal.cpu, cpuAllowance, "times the floor's processor time per request")
		}
	}
	return out
}

// failures counts the requests that were not answered as wanted.
func (rep *report) failures() int {
	n := 0
	for _, o := range rep.Outcomes {
		for _, x := range o.Rows {
			n += x.Subject.Errors + x.Against.Errors
		}
	}
	return n
}

// save writes the report as JSON.
func (rep *report) save(path string) error {
	raw, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o600)
}
