package view

import (
	"strings"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Scan reads the hot fields of one JSON resource. It returns errs.Invalid
// with code json-malformed, json-depth or json-duplicate-key for the text and
// resource-type, resource-id or resource-meta for the resource.
//
// A target that is not a local reference is kept as the zero Reference, so
// that "every target may be seen" fails on it; an attachment address that is
// not a local reference is left out.
func Scan(raw []byte) (fhir.Resource, error) {
	c := start(raw)
	var r fhir.Resource
	c.whole(&r)
	if err := c.end(); err != nil {
		return fhir.Resource{}, err
	}
	return r, nil
}

// whole reads one resource that stands by itself: a Patient is about itself.
func (c *cursor) whole(r *fhir.Resource) {
	c.resource(r)
	if r.Type == "Patient" && r.ID != "" {
		r.Subjects = []string{r.ID}
	}
}

// TypeOf gives the resourceType alone, "" for what is no resource.
func TypeOf(raw []byte) string { return (&cursor{text: raw}).resourceType() }

// resource reads one resource, whose type must be known before its elements
// can be.
func (c *cursor) resource(r *fhir.Resource) {
	r.Type = c.resourceType()
	if c.err != nil {
		return
	}
	root := plans[r.Type]
	c.object(func(key []byte) {
		switch string(key) {
		case "id":
			id, ok := c.single()
			if !ok || !fhir.ValidID(id) {
				c.fail("resource-id", "The resource's id is not a FHIR id.")
			}
			r.ID = id
		case "meta":
			c.meta(r)
		case "contained":
			c.contained(r)
		default:
			c.element(r, root.child(key))
		}
	})
}

func (n *node) child(key []byte) *node {
	if n == nil {
		return nil
	}
	return n.children[string(key)]
}

// resourceType looks ahead for the type; mostly it is the first member.
func (c *cursor) resourceType() string {
	from, depth := c.at, c.depth
	typ := ""
	if c.peek() == '{' {
		c.at++
		for c.err == nil && c.peek() == '"' {
			key := c.key()
			c.take(':')
			if string(key) == "resourceType" {
				typ, _ = c.str()
				break
			}
			c.skip()
			if c.peek() == ',' {
				c.at++
			}
		}
	}
	if c.err != nil {
		return ""
	}
	c.at, c.depth = from, depth
	if !fhir.ValidType(typ) {
		// A fault of the text is told before a fault of the resource.
		c.skip()
		c.fail("resource-type", "The body is not a FHIR resource: resourceType is missing or no type name.")
		return ""
	}
	return typ
}

func (c *cursor) meta(r *fhir.Resource) {
	if c.peek() != '{' {
		c.fail("resource-meta", "The resource's meta is not an object.")
		return
	}
	c.object(func(key []byte) {
		switch string(key) {
		case "versionId":
			r.VersionID, _ = c.str()
		case "lastUpdated":
			s, _ := c.single()
			p, _ := fhir.ParseDate(s)
			r.LastUpdated = p.Start
		case "security":
			if c.peek() != '[' {
				c.fail("resource-meta", "The resource's meta.security is not a list.")
				return
			}
			c.array(func() {
				if c.peek() != '{' {
					c.fail("resource-meta", "A security label of the resource is not a Coding.")
					return
				}
				r.Labels = append(r.Labels, c.coding())
			})
		case "profile":
			c.each(func() {
				if s, ok := c.str(); ok {
					r.Profiles = append(r.Profiles, s)
				}
			})
		default:
			c.skip()
		}
	})
}

func (c *cursor) contained(r *fhir.Resource) {
	if c.peek() != '[' {
		c.fail("resource-type", "The resource's contained is not a list.")
		return
	}
	c.array(func() {
		var inner fhir.Resource
		c.resource(&inner)
		r.Contained = append(r.Contained, inner)
	})
}

// each calls do for a single value or for every element of an array.
func (c *cursor) each(do func()) {
	if c.peek() == '[' {
		c.array(do)
		return
	}
	do()
}

// element reads one element by its plan; without one it is skipped.
func (c *cursor) element(r *fhir.Resource, n *node) {
	if n == nil {
		c.skip()
		return
	}
	if c.peek() == '[' {
		c.array(func() { c.element(r, n) })
		return
	}
	from, depth := c.at, c.depth
	if len(n.acts) > 0 {
		d := c.datum()
		for i := range n.acts {
			apply(r, &n.acts[i], &d)
		}
		if n.children == nil || c.err != nil {
			return
		}
		c.at, c.depth = from, depth
	}
	if c.peek() != '{' {
		c.skip()
		return
	}
	c.object(func(key []byte) { c.element(r, n.children[string(key)]) })
}

// datum is a value of any data type that search parameters read: a code, a
// Coding or CodeableConcept, a Reference, a date or a Period.
type datum struct {
	text         string // the value, when it is a string
	system, code string
	codings      []fhir.Coding
	reference    string
	refType      string
	identified   bool // an identifier stands beside or instead of it
	start, end   string
}

func (c *cursor) datum() (d datum) {
	switch c.peek() {
	case '"':
		d.text, _ = c.str()
		return d
	case '{':
	default:
		c.skip()
		return d
	}
	c.object(func(key []byte) {
		switch string(key) {
		case "system":
			d.system, _ = c.str()
		case "code":
			d.code, _ = c.str()
		case "reference":
			d.reference, _ = c.str()
		case "type":
			d.refType, _ = c.str()
		case "identifier":
			d.identified = true
			c.skip()
		case "start":
			d.start, _ = c.str()
		case "end":
			d.end, _ = c.str()
		case "coding":
			c.each(func() {
				inner := c.coding()
				if inner.Code != "" {
					d.codings = append(d.codings, inner)
				}
			})
		default:
			c.skip()
		}
	})
	return d
}

func (c *cursor) coding() (out fhir.Coding) {
	if c.peek() != '{' {
		c.skip()
		return out
	}
	c.object(func(key []byte) {
		switch string(key) {
		case "system":
			out.System, _ = c.str()
		case "code":
			out.Code, _ = c.str()
		default:
			c.skip()
		}
	})
	return out
}

func apply(r *fhir.Resource, a *act, d *datum) {
	switch a.use {
	case useToken:
		addTokens(r, a.name, d)
	case useDate:
		if p, ok := d.period(); ok {
			if r.Dates == nil {
				r.Dates = map[string][]fhir.Period{}
			}
			r.Dates[a.name] = append(r.Dates[a.name], p)
		}
	case useReference:
		if ref, ok := fhir.ParseReference(d.reference); ok && (a.only == "" || a.only == ref.Type) {
			if r.References == nil {
				r.References = map[string][]fhir.Reference{}
			}
			r.References[a.name] = append(r.References[a.name], ref)
		}
	case useSubject:
		addSubject(r, d, false)
	case useMixedSubject:
		addSubject(r, d, true)
	case useAuthor:
		if ref, ok := fhir.ParseReference(d.reference); ok {
			r.Authors = append(r.Authors, ref)
		}
	case useTarget:
		if !strings.HasPrefix(d.reference, "#") {
			ref, _ := fhir.ParseReference(d.reference)
			r.Targets = append(r.Targets, ref)
		}
	case useLink:
		if ref, ok := fhir.ParseReference(d.text); ok {
			r.Targets = append(r.Targets, ref)
		}
	}
}

func addTokens(r *fhir.Resource, name string, d *datum) {
	codings := d.codings
	if d.text != "" {
		codings = []fhir.Coding{{Code: d.text}}
	} else if d.code != "" {
		codings = []fhir.Coding{{System: d.system, Code: d.code}}
	}
	if len(codings) == 0 {
		return
	}
	if r.Tokens == nil {
		r.Tokens = map[string][]fhir.Coding{}
	}
	r.Tokens[name] = append(r.Tokens[name], codings...)
}

// addSubject takes a local Patient for a subject and everything that may
// stand for another patient for a foreign one (SMART TRP-23, CMP-14). In a
// mixed element three things are neither: a local reference to another type,
// an unresolvable one that says it is another type, a name to display alone.
func addSubject(r *fhir.Resource, d *datum, mixed bool) {
	ref, ok := fhir.ParseReference(d.reference)
	switch {
	case ok && ref.Type == "Patient":
		for _, id := range r.Subjects {
			if id == ref.ID {
				return
			}
		}
		r.Subjects = append(r.Subjects, ref.ID)
	case !mixed:
		r.ForeignSubject = true
	case ok, d.reference == "" && !d.identified && d.text == "":
	case d.refType != "" && d.refType != "Patient" && fhir.ValidType(d.refType) && !strings.Contains(d.reference, "Patient/"):
	default:
		r.ForeignSubject = true
	}
}

// period gives a date or a Period as a range; ok is false for anything else,
// also when one bound cannot be read.
func (d *datum) period() (p fhir.Period, ok bool) {
	if d.text != "" {
		return fhir.ParseDate(d.text)
	}
	if d.start == "" && d.end == "" {
		return fhir.Period{}, false
	}
	if p.Start, ok = bound(d.start, func(p fhir.Period) time.Time { return p.Start }); !ok {
		return fhir.Period{}, false
	}
	if p.End, ok = bound(d.end, func(p fhir.Period) time.Time { return p.End }); !ok {
		return fhir.Period{}, false
	}
	return p, true
}

func bound(s string, side func(fhir.Period) time.Time) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	p, ok := fhir.ParseDate(s)
	return side(p), ok
}
