package export

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mandate-health/mandate/audit"
	"github.com/mandate-health/mandate/internal/errs"
)

// format is what the first line of an export says.
const format = "mandate-audit/1"

// line is one line of a verifiable export. The first names the log, the next
// hold checkpoints, then comes one for each leaf in sealing order, then the
// events that were not sealed yet.
type line struct {
	Format      string    `json:"format,omitempty"`
	Tenant      string    `json:"tenant,omitempty"`
	VerifierKey string    `json:"verifier_key,omitempty"`
	Exported    time.Time `json:"exported,omitzero"`

	Checkpoint string `json:"checkpoint,omitempty"`

	Seq        *int64          `json:"seq,omitempty"`
	ID         string          `json:"id,omitempty"`
	Leaf       *audit.Hash     `json:"leaf,omitempty"`
	Salt       []byte          `json:"salt,omitempty"`
	Header     json.RawMessage `json:"header,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"`
	Commitment *audit.Hash     `json:"body_commitment,omitempty"`
	State      audit.State     `json:"state,omitempty"`
	// Withheld marks an event outside of the asked span.
	Withheld bool `json:"withheld,omitempty"`
	// Unsealed marks an event that had no leaf yet: nothing proves it.
	Unsealed bool      `json:"unsealed,omitempty"`
	Time     time.Time `json:"time,omitzero"`
}

// Span bounds what is exported; zero times do not bound.
type Span struct{ Since, Until time.Time }

func (s Span) holds(t time.Time) bool {
	return (s.Since.IsZero() || !t.Before(s.Since)) && (s.Until.IsZero() || !t.After(s.Until))
}

// NDJSON writes a log so that it can be verified off line. Of events outside
// of the span only the leaf is written, so that the tree stays whole. Errors:
// those of the source and of w.
func NDJSON(ctx context.Context, w io.Writer, src audit.Source, h Head) error {
	out := json.NewEncoder(w)
	// What was signed before the leaves are read covers no leaf beyond them.
	signed, err := src.Checkpoints(ctx)
	if err != nil {
		return err
	}
	if err := out.Encode(line{Format: format, Tenant: src.Tenant(), VerifierKey: h.VerifierKey, Exported: h.Now}); err != nil {
		return err
	}
	for _, c := range signed {
		if err := out.Encode(line{Checkpoint: string(c)}); err != nil {
			return err
		}
	}
	err = src.Items(ctx, func(it audit.Item) error { return out.Encode(lineOf(it, h.Span)) })
	if err != nil {
		return err
	}
	return src.Strays(ctx, func(s audit.Stored) error {
		l, err := unsealed(s, h.Span)
		if err != nil {
			return err
		}
		return out.Encode(l)
	})
}

// unsealed gives the line of an event that had no leaf yet, in full where it is of
// the span and can be read.
func unsealed(s audit.Stored, span Span) (l line, err error) {
	l = line{Unsealed: true, ID: s.Event.ID, Time: s.Event.Time, State: s.State, Withheld: !span.holds(s.Event.Time)}
	if !l.Withheld && s.State == audit.Whole {
		l.Header, l.Body, err = s.Event.Canonical()
	}
	return l, err
}

// Head is what an export says about itself.
type Head struct {
	VerifierKey string
	Now         time.Time
	Span        Span
}

func lineOf(it audit.Item, span Span) line {
	l := line{Seq: &it.Seq, ID: it.ID, Leaf: &it.Hash}
	if it.Header == nil {
		return l
	}
	var h struct {
		Time   int64      `json:"time_us"`
		Kind   audit.Kind `json:"kind"`
		Reason string     `json:"reason"`
	}
	// Records are always given: without them a lawful loss would look unlawful,
	// and no key would be trusted but one.
	err := json.Unmarshal(it.Header, &h)
	if err == nil && !audit.Recording(audit.Event{Kind: h.Kind, Reason: h.Reason}) && !span.holds(time.UnixMicro(h.Time)) {
		l.Withheld = true
		return l
	}
	l.Salt, l.Header, l.Body, l.State = it.Salt, it.Header, it.Body, it.State
	if it.Commitment != (audit.Hash{}) {
		l.Commitment = &it.Commitment
	}
	return l
}

// File is a verifiable export on disk.
type File struct {
	path string
	head line
}

var _ audit.Source = (*File)(nil)

// OpenFile reads the head of an export. Errors: errs.Invalid with code
// audit-export-malformed.
func OpenFile(path string) (*File, error) {
	f := &File{path: path}
	err := f.lines(func(n int, l line) error {
		f.head = l
		return errEnough
	})
	if err != nil {
		return nil, err
	}
	if f.head.Format != format {
		return nil, errs.New(errs.Invalid, "audit-export-malformed", "The file is not an export of mandate audit export --format ndjson.")
	}
	return f, nil
}

// VerifierKey gives the key that the export itself names: whoever forged the
// export chose it.
func (f *File) VerifierKey() string { return f.head.VerifierKey }

// Exported gives when the export was made, by its own word.
func (f *File) Exported() time.Time { return f.head.Exported }

// Tenant implements audit.Source.
func (f *File) Tenant() string { return f.head.Tenant }

// errEnough ends a reading early.
var errEnough = errors.New("enough was read")

// maxLine is the greatest length of a line in bytes: an event lists at most
// 1,000 references.
const maxLine = 4 << 20

func (f *File) lines(each func(n int, l line) error) error {
	file, err := os.Open(f.path)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "audit-export-malformed", "The export cannot be read: "+err.Error())
	}
	defer file.Close()
	scan := bufio.NewScanner(file)
	scan.Buffer(make([]byte, 64<<10), maxLine)
	n := 0
	for scan.Scan() {
		n++
		if len(scan.Bytes()) == 0 {
			continue
		}
		var l line
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			return errs.Wrap(err, errs.Invalid, "audit-export-malformed", fmt.Sprintf("Line %d of the export cannot be read.", n))
		}
		switch err := each(n, l); {
		case errors.Is(err, errEnough):
			return nil
		case err != nil:
			return err
		}
	}
	if err := scan.Err(); err != nil {
		return errs.Wrap(err, errs.Invalid, "audit-export-malformed", fmt.Sprintf("The export cannot be read behind line %d.", n))
	}
	return nil
}

// Checkpoints implements audit.Source.
func (f *File) Checkpoints(context.Context) ([][]byte, error) {
	var out [][]byte
	err := f.lines(func(_ int, l line) error {
		if l.Checkpoint != "" {
			out = append(out, []byte(l.Checkpoint))
		}
		return nil
	})
	return out, err
}

// Records implements audit.Source.
func (f *File) Records(context.Context) ([]audit.Event, error) {
	var out []audit.Event
	err := f.lines(func(_ int, l line) error {
		if l.Unsealed || l.Header == nil || l.Body == nil {
			return nil
		}
		if e, err := audit.ReadCanonical(l.Header, l.Body); err == nil && audit.Recording(e) {
			out = append(out, e)
		}
		return nil
	})
	return out, err
}

// Items implements audit.Source.
func (f *File) Items(ctx context.Context, each func(audit.Item) error) error {
	return f.lines(func(n int, l line) error {
		if l.Seq == nil {
			return ctx.Err()
		}
		if l.Leaf == nil {
			return errs.New(errs.Invalid, "audit-export-malformed", fmt.Sprintf("Line %d of the export has no leaf.", n))
		}
		it := audit.Item{
			Leaf: audit.Leaf{Seq: *l.Seq, ID: l.ID, Hash: *l.Leaf}, Salt: l.Salt, Header: l.Header, Body: l.Body,
			State: l.State, Withheld: l.Withheld,
		}
		if l.Commitment != nil {
			it.Commitment = *l.Commitment
		}
		return each(it)
	})
}

// Strays implements audit.Source.
func (f *File) Strays(_ context.Context, each func(audit.Stored) error) error {
	return f.lines(func(_ int, l line) error {
		if !l.Unsealed {
			return nil
		}
		return each(audit.Stored{Event: audit.Event{Tenant: f.head.Tenant, ID: l.ID, Time: l.Time}})
	})
}
