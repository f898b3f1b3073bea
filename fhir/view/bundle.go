package view

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/mandate-health/mandate/fhir"
	"github.com/mandate-health/mandate/internal/errs"
)

// Bundle is a FHIR bundle taken apart. Raw messages are the exact bytes of
// the text they came from and share its memory.
type Bundle struct {
	ID    string
	Type  string
	Meta  json.RawMessage
	Total *int
	// Timestamp is the bundle's instant as written, "" for none.
	Timestamp string
	Links     []Link
	Entries   []Entry
}

// Link gives the address of the bundle's link of that relation, such as "next",
// "" when there is none.
func (b Bundle) Link(relation string) string {
	for _, l := range b.Links {
		if l.Relation == relation {
			return l.URL
		}
	}
	return ""
}

// Link is one link of a bundle or of an entry.
type Link struct {
	Relation string
	URL      string
}

// Entry is one entry of a bundle.
type Entry struct {
	FullURL  string
	Resource json.RawMessage
	// Hot is what Scan reads of the resource. It is nil where that refuses it, and
	// in what Entries gives.
	Hot *fhir.Resource
	// Mode is search.mode: "match", "include", "outcome" or "".
	Mode string
	// Search, Request and Response are those members whole, nil when absent.
	Search   json.RawMessage
	Request  json.RawMessage
	Response json.RawMessage
}

// Entries takes a bundle apart. Members that it does not name (signature,
// entry links, extensions) are left out of the result and so of what
// AppendTo writes. It returns errs.Invalid as Scan does, and with code
// not-a-bundle for another resource.
func Entries(text []byte) (Bundle, error) {
	c := start(text)
	var b Bundle
	if typ := c.resourceType(); c.err == nil && typ != "Bundle" {
		return Bundle{}, errs.New(errs.Invalid, "not-a-bundle", "The body is not a Bundle.")
	}
	if c.err == nil {
		c.object(func(key []byte) { c.bundleMember(&b, string(key)) })
	}
	return b, c.end()
}

func (c *cursor) bundleMember(b *Bundle, key string) {
	switch key {
	case "id":
		b.ID, _ = c.str()
	case "type":
		b.Type, _ = c.str()
	case "timestamp":
		b.Timestamp, _ = c.str()
	case "meta":
		b.Meta = c.span()
	case "total":
		n, err := strconv.Atoi(string(c.span()))
		if err != nil || n < 0 {
			c.fail("bundle-total", "The bundle's total is not a count.")
			return
		}
		b.Total = &n
	case "link":
		c.listed(func() { b.Links = append(b.Links, c.link()) })
	case "entry":
		c.listed(func() { b.Entries = append(b.Entries, c.entry()) })
	default:
		c.skip()
	}
}

// listed reads an array of objects and fails on anything else.
func (c *cursor) listed(each func()) {
	if c.peek() != '[' {
		c.fail("bundle-shape", "A list of the bundle is not a list.")
		return
	}
	c.array(func() {
		if c.peek() != '{' {
			c.fail("bundle-shape", "An item of the bundle is not an object.")
			return
		}
		each()
	})
}

func (c *cursor) link() (l Link) {
	c.object(func(key []byte) {
		switch string(key) {
		case "relation":
			l.Relation, _ = c.str()
		case "url":
			l.URL, _ = c.str()
		default:
			c.skip()
		}
	})
	return l
}

func (c *cursor) entry() (e Entry) {
	c.object(func(key []byte) {
		switch string(key) {
		case "fullUrl":
			e.FullURL, _ = c.single()
		case "resource":
			e.Resource, e.Hot = c.entryResource()
		case "search":
			from, depth := c.at, c.depth
			e.Mode = c.searchMode()
			if c.err == nil {
				c.at, c.depth = from, depth
				e.Search = c.span()
			}
		case "request":
			e.Request = c.span()
		case "response":
			e.Response = c.span()
		default:
			c.skip()
		}
	})
	return e
}

// entryResource consumes the resource of an entry. A reader reads it strictly in the
// same pass; one that is refused is only stepped over, as the other entries are good.
func (c *cursor) entryResource() (json.RawMessage, *fhir.Resource) {
	if !c.hot {
		return c.span(), nil
	}
	c.peek()
	from, depth := c.at, c.depth
	r := new(fhir.Resource)
	c.whole(r)
	switch {
	case c.err == nil:
		return json.RawMessage(c.text[from:c.at:c.at]), r
	case c.short:
		return nil, nil
	}
	c.err, c.at, c.depth = nil, from, depth
	return c.span(), nil
}

func (c *cursor) searchMode() (mode string) {
	if c.peek() != '{' {
		c.fail("bundle-shape", "The search of an entry is not an object.")
		return ""
	}
	c.object(func(key []byte) {
		if string(key) == "mode" {
			mode, _ = c.str()
			return
		}
		c.skip()
	})
	return mode
}

// AppendTo writes the bundle behind dst, resources byte for byte.
func (b Bundle) AppendTo(dst []byte) []byte {
	dst = append(dst, `{"resourceType":"Bundle"`...)
	dst = appendText(dst, "id", b.ID)
	dst = appendRaw(dst, "meta", b.Meta)
	dst = appendText(dst, "type", b.Type)
	dst = appendText(dst, "timestamp", b.Timestamp)
	dst = AppendTail(dst, b.Total, b.Links)
	if len(b.Entries) > 0 {
		dst = append(dst, `,"entry":[`...)
		for i, e := range b.Entries {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.AppendTo(dst)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// AppendTail writes the total and the links of a bundle as further members.
func AppendTail(dst []byte, total *int, links []Link) []byte {
	if total != nil {
		dst = strconv.AppendInt(append(dst, `,"total":`...), int64(*total), 10)
	}
	if len(links) > 0 {
		dst = append(dst, `,"link":[`...)
		for i, l := range links {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = AppendQuoted(append(dst, `{"relation":`...), l.Relation)
			dst = AppendQuoted(append(dst, `,"url":`...), l.URL)
			dst = append(dst, '}')
		}
		dst = append(dst, ']')
	}
	return dst
}

// AppendTo writes the entry behind dst, its resource byte for byte.
func (e Entry) AppendTo(dst []byte) []byte {
	dst = append(dst, '{')
	open := len(dst)
	dst = appendText(dst, "fullUrl", e.FullURL)
	dst = appendRaw(dst, "resource", e.Resource)
	dst = appendRaw(dst, "search", e.Search)
	dst = appendRaw(dst, "request", e.Request)
	dst = appendRaw(dst, "response", e.Response)
	if len(dst) > open {
		// The first member needs no comma.
		dst = append(dst[:open], dst[open+1:]...)
	}
	return append(dst, '}')
}

func appendText(dst []byte, key, value string) []byte {
	if value == "" {
		return dst
	}
	return AppendQuoted(append(append(append(dst, `,"`...), key...), `":`...), value)
}

// AppendQuoted writes a JSON string behind other bytes; unlike json.Marshal it
// leaves the & of addresses readable.
func AppendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

func appendRaw(dst []byte, key string, raw []byte) []byte {
	if len(raw) == 0 {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, key...)
	dst = append(dst, `":`...)
	return append(dst, raw...)
}
