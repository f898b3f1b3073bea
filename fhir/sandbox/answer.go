package sandbox

import (
	"net/url"
	"strconv"
	"time"
)

// entry is one line of a Bundle that the server sends; empty parts are left
// out.
type entry struct {
	fullURL  string
	rec      *record
	version  *version // with rec: the resource to show
	resource []byte   // or another resource, as JSON
	mode     string   // search.mode
	method   string   // request.method
	url      string   // request.url
	response *response
}

// link is one Bundle.link.
type link struct{ relation, url string }

// bundle is a Bundle that the server sends.
type bundle struct {
	typ     string
	total   int // negative leaves it out
	links   []link
	entries []entry
}

// resourceEntry shows the current version of a record.
func (s *server) resourceEntry(rec *record, mode string) entry {
	return entry{fullURL: s.url(rec), rec: rec, version: rec.current(), mode: mode}
}

func (s *server) url(rec *record) string { return s.base + "/" + rec.typ.name + "/" + rec.id }

// json renders the bundle.
func (b *bundle) json(id string, now time.Time) []byte {
	out := append([]byte(`{"resourceType":"Bundle","id":"`), id...)
	out = append(append(out, `","meta":{"lastUpdated":"`...), now.UTC().Format(instantFormat)...)
	out = append(append(append(out, `"},"type":"`...), b.typ...), '"')
	if b.total >= 0 {
		out = strconv.AppendInt(append(out, `,"total":`...), int64(b.total), 10)
	}
	for i, l := range b.links {
		out = append(out, opening(i, "link")...)
		out = appendQuoted(append(out, `{"relation":`...), l.relation)
		out = append(appendQuoted(append(out, `,"url":`...), l.url), '}')
	}
	out = closing(out, len(b.links))
	for i := range b.entries {
		out = append(out, opening(i, "entry")...)
		out = b.entries[i].appendJSON(out)
	}
	return append(closing(out, len(b.entries)), '}')
}

// opening starts an array member before its first item and separates the
// others.
func opening(i int, name string) string {
	if i > 0 {
		return ","
	}
	return `,"` + name + `":[`
}

func closing(out []byte, n int) []byte {
	if n > 0 {
		out = append(out, ']')
	}
	return out
}

func (e *entry) appendJSON(out []byte) []byte {
	out = append(out, '{')
	member := func(name string) {
		if out[len(out)-1] != '{' {
			out = append(out, ',')
		}
		out = append(appendQuoted(out, name), ':')
	}
	if e.fullURL != "" {
		member("fullUrl")
		out = appendQuoted(out, e.fullURL)
	}
	switch {
	case e.version != nil && e.version.body != nil:
		member("resource")
		out = e.version.appendJSON(out)
	case len(e.resource) > 0:
		member("resource")
		out = append(out, e.resource...)
	}
	if e.mode != "" {
		member("search")
		out = append(appendQuoted(append(out, `{"mode":`...), e.mode), '}')
	}
	if e.method != "" {
		member("request")
		out = appendQuoted(append(out, `{"method":`...), e.method)
		out = append(appendQuoted(append(out, `,"url":`...), e.url), '}')
	}
	if e.response != nil {
		member("response")
		out = e.response.appendEntry(out)
	}
	return append(out, '}')
}

// appendEntry renders a response as Bundle.entry.response.
func (r *response) appendEntry(out []byte) []byte {
	out = append(strconv.AppendInt(append(out, `{"status":"`...), int64(r.status), 10), '"')
	for _, f := range []struct{ member, header string }{{"location", "Location"}, {"etag", "ETag"}} {
		if v := r.header.Get(f.header); v != "" {
			out = append(out, ',', '"')
			out = appendQuoted(append(append(out, f.member...), `":`...), v)
		}
	}
	if t, err := time.Parse(httpTime, r.header.Get("Last-Modified")); err == nil {
		out = append(append(append(out, `,"lastModified":"`...), t.Format(instantFormat)...), '"')
	}
	if r.status >= 400 && len(r.body) > 0 {
		out = append(append(out, `,"outcome":`...), r.body...)
	}
	return append(out, '}')
}

// httpTime is the date format of HTTP, RFC 9110 section 5.6.7.
const httpTime = "Mon, 02 Jan 2006 15:04:05 GMT"

// page is the part of a long list that one Bundle shows.
type page struct{ offset, count int }

const (
	defaultCount = 50
	maxCount     = 1000
)

// pageOf reads _count and the paging parameter _offset.
func pageOf(query url.Values) (page, error) {
	p := page{count: defaultCount}
	for name, field := range map[string]*int{"_count": &p.count, "_offset": &p.offset} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return p, badRequest("%s: %q is not a whole number", name, text)
		}
		*field = n
	}
	p.count = min(p.count, maxCount)
	return p, nil
}

// cut gives the page's range within total items.
func (p page) cut(total int) (from, to int) {
	from = min(p.offset, total)
	return from, from + min(p.count, total-from)
}

// links gives self, next and previous of a page of the list at address.
func (p page) links(address string, query url.Values, total int) []link {
	at := func(offset int) string {
		q := url.Values{}
		for name, values := range query {
			if name != "_offset" {
				q[name] = values
			}
		}
		if offset > 0 {
			q.Set("_offset", strconv.Itoa(offset))
		}
		if len(q) == 0 {
			return address
		}
		return address + "?" + q.Encode()
	}
	out := []link{{"self", at(p.offset)}}
	if p.count > 0 && p.offset+p.count < total {
		out = append(out, link{"next", at(p.offset + p.count)})
	}
	if p.count > 0 && p.offset > 0 {
		out = append(out, link{"previous", at(max(0, p.offset-p.count))})
	}
	return out
}
