package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/catalogue"
	"github.com/mandate-health/mandate/conformance/consent"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/conformance/oauth"
	"github.com/mandate-health/mandate/conformance/security"
	"github.com/mandate-health/mandate/conformance/smart"
	"github.com/mandate-health/mandate/conformance/udap"
	"github.com/mandate-health/mandate/internal/clock"
)

// Target is the server under test.
type Target = kit.Target

// Options say what Main tests and how it reports.
type Options struct {
	// Base is the FHIR base URL. ReadyFile, written by a development server or
	// by hand, adds people and clients; at least one of the two is needed.
	Base      string
	ReadyFile string
	// CAFile is a PEM file with the authority of the server's certificate.
	CAFile string
	// Format is human, json or junit.
	Format string
	// Rows reports every row of the catalogue in place of the checks.
	Rows bool
	// Only names the checks or rows to run; empty means all.
	Only []string
	// JUnit, when set, receives the report in that form too.
	JUnit io.Writer
	// Within bounds the whole run and CheckWithin each check; zero means
	// DefaultWithin and DefaultCheckWithin.
	Within, CheckWithin time.Duration
	// Progress, when set, is told of every result at once.
	Progress func(Result)
}

// The bounds of a run and of one check.
const (
	DefaultWithin      = 15 * time.Minute
	DefaultCheckWithin = 90 * time.Second
)

// Sections gives all rows in the order in which they are run. Rows that move
// the clock come last.
func Sections() []kit.Section {
	var out []kit.Section
	for _, part := range [][]kit.Section{smart.Sections(), oauth.Sections(), udap.Sections(), security.Sections(), consent.Sections()} {
		out = append(out, part...)
	}
	return lateLast(out)
}

// lateLast moves the rows that move the clock into sections of their own at
// the end, because they age what the other rows share.
func lateLast(all []kit.Section) []kit.Section {
	var now, later []kit.Section
	for _, s := range all {
		early, late := s, kit.Section{Name: s.Name + ", with time passing"}
		early.Rows = nil
		for _, row := range s.Rows {
			if row.Needs&kit.Clock != 0 {
				late.Rows = append(late.Rows, row)
			} else {
				early.Rows = append(early.Rows, row)
			}
		}
		if len(early.Rows) > 0 {
			now = append(now, early)
		}
		if len(late.Rows) > 0 {
			later = append(later, late)
		}
	}
	return append(now, later...)
}

// Open makes the target of the options. Errors: neither a base nor a ready
// file, or a server that does not answer.
func Open(ctx context.Context, o Options) (*Target, error) {
	r := kit.Ready{FHIRBase: o.Base}
	if o.ReadyFile != "" {
		var err error
		if r, err = kit.ReadReady(o.ReadyFile); err != nil {
			return nil, err
		}
		if o.Base != "" {
			r.FHIRBase = o.Base
		}
	}
	if o.CAFile != "" {
		r.CAFile = o.CAFile
	}
	if r.FHIRBase == "" {
		return nil, errors.New("name the FHIR base URL of the server (--base) or a file that describes it (--ready-file)")
	}
	return kit.NewTarget(ctx, r)
}

// Run runs every check against the target and reports each. What ctx leaves no
// time for is reported as not tested.
func Run(ctx context.Context, t *Target, r *Report) { run(ctx, t, r, Options{}) }

func run(ctx context.Context, t *Target, r *Report, o Options) {
	watch := clock.System{}
	for _, s := range Sections() {
		for _, row := range s.Rows {
			if !o.wants(row) {
				continue
			}
			begun := watch.Now()
			x := Result{ID: row.ID, Title: row.Title, Status: NotTested, Detail: "the time was up"}
			if ctx.Err() == nil {
				x = runWithin(ctx, t, row, o.CheckWithin)
			}
			x.Section, x.Seconds = s.Name, seconds(watch.Now().Sub(begun))
			r.Add(x)
		}
	}
}

// wants reports whether a check was asked for.
func (o Options) wants(row kit.Row) bool {
	return len(o.Only) == 0 || slices.ContainsFunc(o.Only, func(id string) bool {
		return id == row.ID || slices.Contains(row.Proves(), id)
	})
}

// known refuses names in Only that no check has; where rows are reported, a row
// without a check may be named too.
func (o Options) known() error {
	rows, err := catalogue.Rows()
	if err != nil {
		return err
	}
	for _, id := range o.Only {
		if o.Rows && slices.ContainsFunc(rows, func(r catalogue.Row) bool { return r.ID == id }) {
			continue
		}
		if !slices.ContainsFunc(Sections(), func(s kit.Section) bool {
			return slices.ContainsFunc(s.Rows, func(row kit.Row) bool { return Options{Only: []string{id}}.wants(row) })
		}) {
			return fmt.Errorf("no check proves %q; ids look like AZ-16, and --rows lists them", id)
		}
	}
	return nil
}

func runWithin(ctx context.Context, t *Target, row kit.Row, bound time.Duration) Result {
	if bound == 0 {
		bound = DefaultCheckWithin
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	return RunRow(ctx, t, row)
}

// RunRow runs one check, or says why it cannot be run.
func RunRow(ctx context.Context, t *Target, row kit.Row) (x Result) {
	x = Result{ID: row.ID, Title: row.Title, Status: Pass}
	if missing := row.Needs &^ t.Has(); missing != 0 {
		x.Status, x.Detail = NotTested, "needs "+missing.String()
		return x
	}
	if row.Needs&kit.Clock != 0 {
		defer t.Forget()
	}
	// A server may answer anything; a check that stumbles over it has failed,
	// and the others go on.
	defer func() {
		if v := recover(); v != nil {
			x.Status, x.Detail = Fail, fmt.Sprintf("the check stumbled over an answer: %v at %s", v, stumbled())
		}
	}()
	err := row.Run(ctx, t)
	var unmet kit.Unmet
	switch {
	case err == nil:
	case errors.As(err, &unmet):
		x.Status, x.Detail = NotTested, "needs "+unmet.Why
	default:
		x.Status, x.Detail = Fail, err.Error()
	}
	return x
}

// stumbled gives the line of a check that stumbled.
func stumbled() string {
	for line := range strings.Lines(string(debug.Stack())) {
		if _, place, ok := strings.Cut(line, "/conformance/"); ok && !strings.HasPrefix(place, "target.go") && strings.Contains(place, ".go:") {
			return strings.TrimSpace(place)
		}
	}
	return "an unknown place"
}

// Main runs the suite as the command does and reports to out. ok is false when
// a check failed or nothing could be tested, and, where rows are reported, also
// when a binding one is left open.
func Main(ctx context.Context, o Options, out io.Writer) (ok bool, err error) {
	if err := o.known(); err != nil {
		return false, err
	}
	if o.Within == 0 {
		o.Within = DefaultWithin
	}
	ctx, cancel := context.WithTimeout(ctx, o.Within)
	defer cancel()
	t, err := Open(ctx, o)
	if err != nil {
		return false, err
	}
	r := &Report{Each: o.Progress}
	run(ctx, t, r, o)
	if !o.Rows {
		return r.OK(), r.write(out, o)
	}
	entries, err := Ledger(r.Results())
	if err != nil {
		return false, err
	}
	if len(o.Only) > 0 {
		entries = slices.DeleteFunc(entries, func(e Entry) bool { return !slices.Contains(o.Only, e.ID) })
	}
	rows := &Report{results: asResults(entries), entries: entries}
	return r.Count(Fail) == 0 && len(openRows(entries)) == 0, rows.write(out, o)
}
