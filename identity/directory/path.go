package directory

import "strings"

// Path names an attribute (RFC 7644 §3.5.2): userName, name.familyName,
// emails[type eq "work"].value, or an extension.
type Path struct {
	attr *Attribute
	// where chooses among the values of a multi-valued attribute.
	where *Filter
	sub   *Attribute
}

// ParsePath reads the path of a PATCH operation. Errors: errs.Invalid with code
// scim-path, or scim-filter for what stands in brackets.
func ParsePath(s *Schema, path string) (Path, error) {
	if len(path) > maxFilter {
		return Path{}, fault("scim-path", "The path is too long.")
	}
	p := &parser{schema: s, text: path}
	if err := p.scan(); err != nil {
		return Path{}, err
	}
	head := p.next()
	if head.kind != word {
		return Path{}, fault("scim-path", "A path begins with the name of an attribute.")
	}
	out, err := resolve(s, nil, head.text)
	if err != nil {
		return Path{}, fault("scim-path", "The path names an attribute that is not known here; see /Schemas.")
	}
	if !out.kept() {
		return out, nil
	}
	if p.peek().text == "[" && out.sub == nil && out.attr.Multi {
		p.next()
		if out.where, err = p.inside(out.attr); err != nil {
			return Path{}, err
		}
		if name, ok := strings.CutPrefix(p.peek().text, "."); ok {
			p.next()
			if out.sub = find(out.attr.Sub, name); out.sub == nil {
				return Path{}, fault("scim-path", "The path names a sub-attribute that is not known here; see /Schemas.")
			}
		}
	}
	if p.peek().kind != end {
		return Path{}, fault("scim-path", "There is more behind the path than one attribute.")
	}
	return out, nil
}

// resolve finds the attribute of a name such as name.familyName, which may begin
// with the URN of its schema; in is the attribute that it is a part of, nil for the
// resource.
func resolve(s *Schema, in *Attribute, name string) (Path, error) {
	var among []Attribute
	if in != nil {
		among = in.Sub
	} else {
		among = s.Attributes
		if rest, ok := cutFold(name, s.ID+":"); ok {
			name = rest
		}
		for i := range among {
			if !among[i].urn {
				continue
			}
			if strings.EqualFold(name, among[i].Name) {
				return Path{attr: &among[i]}, nil
			}
			if rest, ok := cutFold(name, among[i].Name+":"); ok {
				head, _, _ := strings.Cut(rest, ".")
				if sub := find(among[i].Sub, rest); sub != nil || drops(among[i].dropped, head) {
					return Path{attr: &among[i], sub: sub}, nil
				}
			}
		}
	}
	first, rest, deeper := strings.Cut(name, ".")
	a := find(among, first)
	if a == nil && in == nil && drops(s.dropped, first) {
		return Path{attr: &Attribute{Name: first, dropped: []string{first}}}, nil
	}
	if a == nil {
		return Path{}, fault("scim-filter", "The filter names an attribute that is not known here; see /Schemas.")
	}
	out := Path{attr: a}
	if deeper {
		if out.sub = find(a.Sub, rest); out.sub == nil {
			return Path{}, fault("scim-filter", "The filter names a sub-attribute that is not known here; see /Schemas.")
		}
	}
	return out, nil
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// kept reports whether what the path names is kept at all.
func (p Path) kept() bool { return p.attr.Type != "" && (p.sub != nil || len(p.attr.dropped) == 0) }

// leaf is the attribute that the path ends at.
func (p Path) leaf() *Attribute {
	if p.sub != nil {
		return p.sub
	}
	return p.attr
}

func (p Path) String() string {
	out := p.attr.Name
	if p.where != nil {
		out += "[" + p.where.String() + "]"
	}
	switch {
	case p.sub == nil:
		return out
	case p.attr.urn:
		return out + ":" + p.sub.Name
	}
	return out + "." + p.sub.Name
}
