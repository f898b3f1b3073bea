package conformance

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Status is how a row ended.
type Status string

// The ends of a row.
const (
	Pass      Status = "pass"
	Fail      Status = "fail"
	NotTested Status = "not tested"
)

// Result is one row's end.
type Result struct {
	ID      string `json:"id"`
	Section string `json:"section"`
	Title   string `json:"title"`
	Status  Status `json:"status"`
	// Detail tells what the server did instead, or what was missing.
	Detail string `json:"detail,omitempty"`
	// Seconds the row took.
	Seconds float64 `json:"seconds"`
}

// Report collects results in the order of the rows. It is safe for concurrent
// use.
type Report struct {
	// Each, when set, is told of every result at once.
	Each func(Result)

	mu      sync.Mutex
	results []Result
	// entries are the rows of the catalogue, where those are reported.
	entries []Entry
}

// Add appends a result.
func (r *Report) Add(x Result) {
	r.mu.Lock()
	r.results = append(r.results, x)
	r.mu.Unlock()
	if r.Each != nil {
		r.Each(x)
	}
}

// Results gives what was reported so far.
func (r *Report) Results() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Result(nil), r.results...)
}

// Count gives how many rows ended in a status.
func (r *Report) Count(s Status) int {
	n := 0
	for _, x := range r.Results() {
		if x.Status == s {
			n++
		}
	}
	return n
}

// OK reports whether no row failed and at least one was tested.
func (r *Report) OK() bool { return r.Count(Fail) == 0 && r.Count(Pass) > 0 }

// write prints the report in the form asked for, and as JUnit where that is
// asked for too.
func (r *Report) write(out io.Writer, o Options) error {
	if err := r.Write(out, o.Format); err != nil || o.JUnit == nil {
		return err
	}
	return r.Write(o.JUnit, "junit")
}

// Write prints the report: human, json or junit. Errors: an unknown format, or
// those of out.
func (r *Report) Write(out io.Writer, format string) error {
	switch format {
	case "", "human":
		return r.human(out)
	case "json":
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		doc := map[string]any{"pass": r.Count(Pass), "fail": r.Count(Fail), "not_tested": r.Count(NotTested), "rows": r.Results()}
		if r.entries != nil {
			doc["deliberately_not_done"], doc["rows"], doc["open"] = r.Count(Deliberate), r.entries, openRows(r.entries)
		}
		return enc.Encode(doc)
	case "junit":
		return r.junit(out)
	default:
		return fmt.Errorf("the format %q is not human, json or junit", format)
	}
}

func (r *Report) human(out io.Writer) error {
	var b strings.Builder
	section, wide := "", len(NotTested)
	if r.entries != nil {
		wide = len(Deliberate)
	}
	for _, x := range r.Results() {
		if x.Section != section {
			section = x.Section
			fmt.Fprintf(&b, "\n%s\n", section)
		}
		fmt.Fprintf(&b, "  %-*s  %-15s  %s\n", wide, x.Status, x.ID, x.Title)
		for line := range strings.Lines(x.Detail) {
			fmt.Fprintf(&b, "  %-*s  %-15s    %s\n", wide, "", "", strings.TrimSpace(line))
		}
	}
	r.sums(&b)
	_, err := io.WriteString(out, b.String())
	return err
}

// sums counts, and names what keeps the server from being finished.
func (r *Report) sums(b *strings.Builder) {
	fmt.Fprintf(b, "\n%d passed, %d failed, %d not tested", r.Count(Pass), r.Count(Fail), r.Count(NotTested))
	if r.entries == nil {
		fmt.Fprintln(b)
		return
	}
	fmt.Fprintf(b, ", %d deliberately not done\n", r.Count(Deliberate))
	if open := openRows(r.entries); len(open) > 0 {
		fmt.Fprintf(b, "Open (failed, or SHALL or REG of §1 to §5 and not tested), %d rows: %s\n", len(open), idsOf(open))
	}
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string      `xml:"classname,attr"`
	Name    string      `xml:"name,attr"`
	Time    float64     `xml:"time,attr"`
	Failure *junitEvent `xml:"failure,omitempty"`
	Skipped *junitEvent `xml:"skipped,omitempty"`
}

type junitEvent struct {
	Message string `xml:"message,attr"`
}

func (r *Report) junit(out io.Writer) error {
	s := junitSuite{Name: "mandate conformance", Failures: r.Count(Fail), Skipped: r.Count(NotTested) + r.Count(Deliberate)}
	for _, x := range r.Results() {
		c := junitCase{Class: x.Section, Name: x.ID + " " + x.Title, Time: x.Seconds}
		switch x.Status {
		case Fail:
			c.Failure = &junitEvent{x.Detail}
		case NotTested, Deliberate:
			c.Skipped = &junitEvent{x.Detail}
		}
		s.Cases = append(s.Cases, c)
	}
	s.Tests = len(s.Cases)
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(out)
	enc.Indent("", "  ")
	if err := enc.Encode(s); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n")
	return err
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
