package journal

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// maxLine bounds a line; a first line names every other segment.
const maxLine = 16 << 20

// Line is an entry and where it stands.
type Line struct {
	Entry
	Segment string
	N       int64
}

// Content is what a journal holds.
type Content struct {
	// Entries are in the order of their segments.
	Entries []Line
	// Heads are the ends of the segments, oldest first.
	Heads []Head
	// Until is the newest line: up to then nothing is missing that the
	// machine that wrote it knew.
	Until time.Time
	// Open are the segments without a last line: their process was killed, or
	// still runs, or somebody cut them.
	Open []string

	started []start
	sums    map[string][]string
}

// unreadable puts what a place could not do into a sentence, unless it has one.
func unreadable(p Place, err error) error {
	if errs.As(err).Kind != errs.Internal {
		return err
	}
	return errs.Wrap(err, errs.Unavailable, "revocation-journal-unreadable", fmt.Sprintf("The revocation journal in %s cannot be read.", p.Name))
}

// maxAsked bounds how many segments are looked at a time.
const maxAsked = 8

// Heads gives the ends of the segments by their last whole lines, which is
// cheap. Errors: errs.Invalid (revocation-journal-damaged); errs.Unavailable.
func Heads(ctx context.Context, p Place, key ed25519.PublicKey) ([]Head, error) {
	all, err := p.Segments.Names(ctx)
	if err != nil {
		return nil, unreadable(p, err)
	}
	heads, faults := make([]Head, len(all)), make([]error, len(all))
	var wg sync.WaitGroup
	room := make(chan struct{}, maxAsked)
	for i, name := range all {
		room <- struct{}{}
		wg.Go(func() {
			heads[i], faults[i] = headOf(ctx, p, name, key)
			<-room
		})
	}
	wg.Wait()
	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}
	return heads, nil
}

func headOf(ctx context.Context, p Place, name string, key ed25519.PublicKey) (Head, error) {
	h := Head{Segment: name}
	text, err := p.Segments.Last(ctx, name)
	if err != nil {
		return h, unreadable(p, err)
	}
	if text == "" {
		return h, nil
	}
	l, after, ok := read(key, text)
	if !ok {
		return h, errs.New(errs.Invalid, "revocation-journal-damaged", fmt.Sprintf(
			"The last line of segment %s of the revocation journal in %s is not what was written there, or was written under another key.", name, p.Name))
	}
	h.Line, h.Sum, h.At = l.N, after, l.At
	return h, nil
}

// Read checks a whole journal and gives what it holds. known are heads that
// another place remembers, such as the backup: the journal must reach them. A
// lines from before since need not be there any more.
// Errors: errs.Invalid (revocation-journal-damaged) naming file and line,
// (revocation-journal-cut) naming what is missing; errs.Unavailable.
func Read(ctx context.Context, p Place, key ed25519.PublicKey, known []Head, since time.Time) (Content, error) {
	c, err := readAll(ctx, p, key)
	if err != nil {
		return c, err
	}
	for _, h := range known {
		if err := c.reaches(h, "the backup", since); err != nil {
			return c, err
		}
	}
	for _, s := range c.started {
		for _, h := range s.Others {
			if err := c.reaches(h, "segment "+s.Segment, since); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

func readAll(ctx context.Context, p Place, key ed25519.PublicKey) (Content, error) {
	c := Content{sums: map[string][]string{}}
	all, err := p.Segments.Names(ctx)
	if err != nil {
		return c, unreadable(p, err)
	}
	for _, name := range all {
		if err := c.segment(ctx, p, name, key); err != nil {
			return c, err
		}
	}
	return c, nil
}

// reaches demands that a segment holds the line that a witness saw.
func (c *Content) reaches(h Head, witness string, since time.Time) error {
	sums, found := c.sums[h.Segment]
	switch {
	case int64(len(sums)) < h.Line && h.At.Before(since):
		// Cleared away, or half so.
		return nil
	case !found:
		return errs.New(errs.Invalid, "revocation-journal-cut", fmt.Sprintf(
			"The revocation journal lacks its segment %s, which %s names.", h.Segment, witness))
	case int64(len(sums)) < h.Line:
		return errs.New(errs.Invalid, "revocation-journal-cut", fmt.Sprintf(
			"The segment %s of the revocation journal ends at line %d; %s saw line %d.", h.Segment, len(sums), witness, h.Line))
	case h.Line > 0 && sums[h.Line-1] != h.Sum:
		return errs.New(errs.Invalid, "revocation-journal-cut", fmt.Sprintf(
			"The segment %s of the revocation journal differs at or before line %d from what %s saw.", h.Segment, h.Line, witness))
	}
	return nil
}

// segment reads one.
func (c *Content) segment(ctx context.Context, p Place, name string, key ed25519.PublicKey) error {
	f, err := p.Segments.Read(ctx, name)
	if err != nil {
		return unreadable(p, err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(io.LimitReader(f, 1<<40), 64<<10)
	head, ended := Head{Segment: name}, false
	for {
		text, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) {
			// A line without its end was never confirmed to anybody.
			break
		}
		if err != nil || len(text) > maxLine {
			return unreadable(p, err)
		}
		l, after, ok := read(key, strings.TrimSuffix(text, "\n"))
		if !ok || ended || l.Before != head.Sum || l.N != head.Line+1 || (l.Start != nil) != (l.N == 1) || l.Start != nil && l.Start.Segment != name {
			return errs.New(errs.Invalid, "revocation-journal-damaged", fmt.Sprintf(
				"Line %d of segment %s of the revocation journal is not what was written there.", head.Line+1, name))
		}
		head.Line, head.Sum, head.At = l.N, after, l.At
		c.sums[name] = append(c.sums[name], after)
		ended = l.Mark == end
		c.take(name, l)
	}
	c.Heads = append(c.Heads, head)
	if !ended {
		c.Open = append(c.Open, name)
	}
	return nil
}

func (c *Content) take(name string, l line) {
	if l.At.After(c.Until) {
		c.Until = l.At
	}
	if l.Start != nil {
		c.started = append(c.started, *l.Start)
	}
	if l.Entry != nil {
		c.Entries = append(c.Entries, Line{Entry: *l.Entry, Segment: name, N: l.N})
	}
}
