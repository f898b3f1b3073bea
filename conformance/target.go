package conformance

import (
	"context"
	"errors"
	"io"

	"github.com/mandate-health/mandate/conformance/consent"
	"github.com/mandate-health/mandate/conformance/kit"
	"github.com/mandate-health/mandate/conformance/oauth"
	"github.com/mandate-health/mandate/conformance/security"
	"github.com/mandate-health/mandate/conformance/smart"
	"github.com/mandate-health/mandate/internal/clock"
)

// Target is the server under test.
type Target = kit.Target

// Options say what Main tests and how it reports.
type Options struct {
	// Base is the FHIR base URL. ReadyFile, written by a development server,
	// adds people and clients; at least one of the two is needed.
	Base      string
	ReadyFile string
	// Format is human, json or junit.
	Format string
}

// Sections gives all rows in the order in which they are run. Rows that move
// the clock come last.
func Sections() []kit.Section {
	var out []kit.Section
	for _, part := range [][]kit.Section{smart.Sections(), oauth.Sections(), security.Sections(), consent.Sections()} {
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
	if r.FHIRBase == "" {
		return nil, errors.New("name a FHIR base URL or a ready file")
	}
	return kit.NewTarget(ctx, r)
}

// Run runs every row against the target and reports each. It fails only when
// ctx ends; failed rows are in the report.
func Run(ctx context.Context, t *Target, r *Report) error {
	watch := clock.System{}
	for _, s := range Sections() {
		for _, row := range s.Rows {
			if err := ctx.Err(); err != nil {
				return err
			}
			begun := watch.Now()
			x := RunRow(ctx, t, row)
			x.Section, x.Seconds = s.Name, seconds(watch.Now().Sub(begun))
			r.Add(x)
		}
	}
	return nil
}

// RunRow runs one row, or says why it cannot be run.
func RunRow(ctx context.Context, t *Target, row kit.Row) Result {
	x := Result{ID: row.ID, Title: row.Title, Status: Pass}
	if missing := row.Needs &^ t.Has(); missing != 0 {
		x.Status, x.Detail = NotTested, "needs "+missing.String()
		return x
	}
	if row.Needs&kit.Clock != 0 {
		defer t.Forget()
	}
	if err := row.Run(ctx, t); err != nil {
		x.Status, x.Detail = Fail, err.Error()
	}
	return x
}

// Main runs the suite as the command does and reports to out. ok is false when
// a row failed.
func Main(ctx context.Context, o Options, out io.Writer) (ok bool, err error) {
	t, err := Open(ctx, o)
	if err != nil {
		return false, err
	}
	r := &Report{}
	if err := Run(ctx, t, r); err != nil {
		return false, err
	}
	return r.OK(), r.Write(out, o.Format)
}
