package view

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/mandate-health/mandate/internal/errs"
)

const (
	// partBytes and partEntries are about how much of a bundle one part holds.
	partBytes   = 256 << 10
	partEntries = 500
	// firstRead is the room of a reader that does not know how much is coming.
	firstRead = 32 << 10
	// MaxEntry is the largest entry of a bundle that is read, in bytes.
	MaxEntry = 16 << 20
)

// Reader takes a bundle apart while it arrives. It holds one part of it, or the
// largest entry, whatever the size of the whole; like Entries it leaves out what
// Bundle does not name. It is for one goroutine.
type Reader struct {
	from io.Reader
	// text is what was read; before at it is consumed.
	text []byte
	at   int
	// used is how much of the text the entries of this part take.
	used  int
	ended bool
	where place
	// typ is the resourceType, "" as long as it did not come.
	typ  string
	keys keySet
	b    Bundle
	met  texts
}

// place says what of the bundle is read next.
type place int

const (
	atStart place = iota
	atFirstMember
	atMember
	atFirstEntry
	atEntry
	afterEntries
	atEnd
)

// Room is how much memory a reader of a large bundle begins with, in bytes.
const Room = partBytes + 1

// NewReader reads a bundle of so many bytes, -1 when that is not known, into the
// memory given, which is its own from then on; nil lets it take some.
func NewReader(from io.Reader, length int64, memory []byte) *Reader {
	if cap(memory) > 0 {
		return &Reader{from: from, text: memory[:0], met: texts{}}
	}
	room := int64(firstRead)
	if length >= 0 {
		// One byte more shows that nothing follows.
		room = min(length, partBytes) + 1
	}
	return &Reader{from: from, text: make([]byte, 0, room), met: texts{}}
}

// Rest gives the members other than entries, all of them once Next gave io.EOF.
func (r *Reader) Rest() Bundle { return r.b }

// Next gives some entries, at least one, or io.EOF behind the last. What it gave
// before is no longer good then, but for Hot: the entries share the reader's memory. Errors:
// those of Entries, with code bundle-too-large for a single entry above MaxEntry
// bytes, and those of the stream.
func (r *Reader) Next() ([]Entry, error) {
	r.compact()
	var out []Entry
	for r.where != atEnd {
		entry, err := r.step(len(out) > 0)
		if errors.Is(err, errPart) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		if entry != nil {
			if out == nil {
				out = make([]Entry, 0, 64)
			}
			out = append(out, *entry)
		}
		if len(out) > 0 && (len(out) >= partEntries || r.used >= partBytes) {
			return out, nil
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, r.finish()
}

// compact forgets what was consumed, and the room that a large entry took.
func (r *Reader) compact() {
	rest := r.text[r.at:]
	if cap(r.text) > 2*partBytes && len(rest) < partBytes {
		r.text = append(make([]byte, 0, partBytes), rest...)
	} else {
		r.text = r.text[:copy(r.text[:cap(r.text)], rest)]
	}
	r.at, r.used = 0, 0
}

// errPart says that the next entry does not fit beside those that were read.
var errPart = errors.New("view: the part is full")

// step reads one member or one entry. A text that runs short is read again with
// more of it.
func (r *Reader) step(more bool) (*Entry, error) {
	for {
		c := cursor{text: r.text, at: r.at, depth: 1, hot: true, met: r.met}
		did := r.read(&c)
		if c.err == nil && !utf8.Valid(r.text[r.at:c.at]) {
			c.malformed()
			c.short = false
		}
		if c.err == nil {
			r.used += c.at - r.at
			r.at = c.at
			did.apply(r)
			return did.entry, nil
		}
		if !c.short || r.ended {
			return nil, c.err
		}
		if more && len(r.text) >= partBytes && len(r.text) == cap(r.text) {
			return nil, errPart
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// did is what one step has read, to be kept when the text was long enough.
type did struct {
	next  place
	key   string
	typ   string
	b     *Bundle
	entry *Entry
}

func (d did) apply(r *Reader) {
	r.where = d.next
	if d.key != "" {
		r.keys.add([]byte(d.key))
	}
	if d.typ != "" {
		r.typ = d.typ
	}
	if d.b != nil {
		r.b = *d.b
	}
}

func (r *Reader) read(c *cursor) did {
	switch r.where {
	case atStart:
		c.depth = 0
		c.open('{')
		return did{next: atFirstMember}
	case atFirstMember, atMember:
		return r.member(c)
	case atFirstEntry, atEntry:
		return r.entry(c)
	default:
		return did{next: c.another(atMember, '}', atEnd)}
	}
}

// another consumes what stands behind a member or element.
func (c *cursor) another(again place, last byte, end place) place {
	switch c.peek() {
	case ',':
		c.at++
		return again
	case last:
		c.at++
		return end
	}
	c.malformed()
	return end
}

func (r *Reader) member(c *cursor) did {
	if c.peek() == '}' && r.where == atFirstMember {
		c.at++
		return did{next: atEnd}
	}
	key := string(c.key())
	c.take(':')
	if c.err != nil {
		return did{}
	}
	if r.keys.has(key) {
		c.fail("json-duplicate-key", "An object of the body has the same key twice.")
		return did{}
	}
	d := did{key: key}
	switch {
	case key == "entry":
		if c.peek() != '[' {
			c.fail("bundle-shape", "A list of the bundle is not a list.")
			return did{}
		}
		c.at++
		d.next = atFirstEntry
		return d
	case key == "resourceType":
		d.typ, _ = c.str()
		if c.err == nil && d.typ != "Bundle" {
			c.fail("not-a-bundle", "The body is not a Bundle.")
		}
	default:
		b := r.b
		c.bundleMember(&b, key)
		if key == "meta" {
			b.Meta = bytes.Clone(b.Meta)
		}
		d.b = &b
	}
	d.next = c.another(atMember, '}', atEnd)
	return d
}

func (r *Reader) entry(c *cursor) did {
	c.depth = 2
	if c.peek() == ']' && r.where == atFirstEntry {
		c.at++
		return did{next: afterEntries}
	}
	if c.peek() != '{' {
		c.fail("bundle-shape", "An item of the bundle is not an object.")
		return did{}
	}
	e := c.entry()
	return did{entry: &e, next: c.another(atEntry, ']', afterEntries)}
}

// finish sees that nothing follows.
func (r *Reader) finish() error {
	for {
		c := cursor{text: r.text, at: r.at}
		if c.peek() != 0 || c.at < len(c.text) {
			c.malformed()
			return c.err
		}
		if r.ended {
			break
		}
		r.text, r.at = r.text[:0], 0
		if err := r.fill(); err != nil {
			return err
		}
	}
	if r.typ == "" {
		return errs.New(errs.Invalid, "not-a-bundle", "The body is not a Bundle.")
	}
	return io.EOF
}

// fill reads as much as there is room for behind what is there, which is no more
// than a part waits for anyway: what runs short is read again, so it should seldom
// be.
func (r *Reader) fill() error {
	rest := len(r.text) - r.at
	if rest > MaxEntry {
		return errs.New(errs.Invalid, "bundle-too-large", "An entry of the bundle is larger than is accepted.")
	}
	if len(r.text) == cap(r.text) {
		// The entries given in this part keep the memory that they share.
		wider := make([]byte, rest, max(partBytes, 2*rest))
		copy(wider, r.text[r.at:])
		r.text, r.at = wider, 0
	}
	for len(r.text) < cap(r.text) {
		n, err := r.from.Read(r.text[len(r.text):cap(r.text)])
		r.text = r.text[:len(r.text)+n]
		if err == io.EOF {
			r.ended = true
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
