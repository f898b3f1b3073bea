package health

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Severity says how bad a finding is.
type Severity string

// The severities, worst first.
const (
	// Failing: not safe or not working; doctor ends with a status of its own.
	Failing Severity = "failing"
	// Warning: works, but not as it should be run.
	Warning Severity = "warning"
	// Skipped: could not be looked at, for the reason given.
	Skipped Severity = "skipped"
	// Noted: worth knowing.
	Noted Severity = "noted"
	// Fine: as it should be.
	Fine Severity = "fine"
)

var order = []Severity{Failing, Warning, Skipped, Noted, Fine}

// Finding is the answer of a check. It holds no PHI and no secret.
type Finding struct {
	Severity Severity
	Text     string
}

// Good makes a finding of what is as it should be.
func Good(format string, args ...any) Finding { return Finding{Fine, fmt.Sprintf(format, args...)} }

// Note makes a finding that asks for nothing.
func Note(format string, args ...any) Finding { return Finding{Noted, fmt.Sprintf(format, args...)} }

// Warn makes a finding that should be looked into.
func Warn(format string, args ...any) Finding {
	return Finding{Warning, fmt.Sprintf(format, args...)}
}

// Fail makes a finding that must be mended.
func Fail(format string, args ...any) Finding {
	return Finding{Failing, fmt.Sprintf(format, args...)}
}

// Unseen makes the answer of a check that could not look.
func Unseen(format string, args ...any) Finding {
	return Finding{Skipped, fmt.Sprintf(format, args...)}
}

// Want is Good when ok and Fail otherwise, with the same text.
func Want(ok bool, format string, args ...any) Finding {
	if ok {
		return Good(format, args...)
	}
	return Fail(format, args...)
}

// Wish is Good when ok and Warn otherwise, with the same text.
func Wish(ok bool, format string, args ...any) Finding {
	if ok {
		return Good(format, args...)
	}
	return Warn(format, args...)
}

// Check is one question to a server or what is around it.
type Check struct {
	// ID is stable, kebab-case, its first word the area.
	ID string
	// Looks says what is looked at, Remedy what to do when it is not fine.
	Looks, Remedy string
	// Look gives the answer. It changes nothing.
	Look func(context.Context) Finding
}

// Result is a check with its answer.
type Result struct {
	ID       string   `json:"id"`
	Looks    string   `json:"looks_at"`
	Severity Severity `json:"severity"`
	Finding  string   `json:"finding"`
	Remedy   string   `json:"remedy,omitempty"`
}

const (
	// checkTimeout bounds one check, checksAtOnce how many run together.
	checkTimeout = 10 * time.Second
	checksAtOnce = 4
)

// Run asks all checks and gives the answers in their order.
func Run(ctx context.Context, checks []Check) []Result {
	out := make([]Result, len(checks))
	slots := make(chan struct{}, checksAtOnce)
	var wg sync.WaitGroup
	for i, c := range checks {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			bounded, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			f := c.Look(bounded)
			out[i] = Result{ID: c.ID, Looks: c.Looks, Severity: f.Severity, Finding: f.Text}
			if f.Severity == Failing || f.Severity == Warning {
				out[i].Remedy = c.Remedy
			}
		})
	}
	wg.Wait()
	return out
}

// Worst gives the worst severity among the results, Fine for none.
func Worst(results []Result) Severity {
	worst := len(order) - 1
	for _, r := range results {
		worst = min(worst, slices.Index(order, r.Severity))
	}
	return order[worst]
}

// WriteText writes the results for a human, the worst first; those that ask for
// nothing only when all is asked for.
func WriteText(w io.Writer, results []Result, all bool) {
	count := map[Severity]int{}
	for _, s := range order {
		for _, r := range results {
			if r.Severity != s {
				continue
			}
			count[s]++
			if (s == Fine || s == Noted) && !all {
				continue
			}
			fmt.Fprintf(w, "%-8s %-34s %s\n", s, r.ID, r.Finding)
			if r.Remedy != "" {
				fmt.Fprintf(w, "%-8s %-34s → %s\n", "", "", r.Remedy)
			}
		}
	}
	var sums []string
	for _, s := range order {
		sums = append(sums, fmt.Sprintf("%d %s", count[s], s))
	}
	fmt.Fprintf(w, "%d checks: %s\n", len(results), strings.Join(sums, ", "))
}

// WriteJSON writes the results for a program.
func WriteJSON(w io.Writer, results []Result) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Worst  Severity `json:"worst"`
		Checks []Result `json:"checks"`
	}{Worst(results), results})
}

// WriteMarkdown writes the table of the documentation.
func WriteMarkdown(w io.Writer, checks []Check) {
	fmt.Fprintln(w, "| id | looks at | remedy |\n|---|---|---|")
	for _, c := range checks {
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", c.ID, c.Looks, c.Remedy)
	}
}
