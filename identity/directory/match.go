package directory

import (
	"strings"
	"time"
)

// Match reports whether a resource fits. Names of its members are those of the
// schema.
func (f *Filter) Match(resource map[string]any) bool {
	switch f.op {
	case "and":
		for _, k := range f.kids {
			if !k.Match(resource) {
				return false
			}
		}
		return true
	case "or":
		for _, k := range f.kids {
			if k.Match(resource) {
				return true
			}
		}
		return false
	case "not":
		return !f.kids[0].Match(resource)
	case "[":
		for _, v := range values(resource[f.path.attr.Name]) {
			if one, ok := v.(map[string]any); ok && f.kids[0].Match(one) {
				return true
			}
		}
		return false
	case "ne":
		eq := *f
		eq.op = "eq"
		return !eq.Match(resource)
	}
	found := f.path.of(resource)
	if f.op == "pr" || f.value == nil {
		return (len(found) > 0) == (f.op == "pr")
	}
	for _, v := range found {
		if f.holds(v) {
			return true
		}
	}
	return false
}

// of gives the values at the path, none for what is not there or empty.
func (p Path) of(resource map[string]any) (out []any) {
	for _, v := range values(resource[p.attr.Name]) {
		if p.sub != nil {
			one, ok := v.(map[string]any)
			if !ok || p.where != nil && !p.where.Match(one) {
				continue
			}
			v = one[p.sub.Name]
		}
		if v != nil && v != "" {
			out = append(out, v)
		}
	}
	return out
}

// values gives the values of an attribute, which may be one or a list.
func values(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

// holds compares one value.
func (f *Filter) holds(v any) bool {
	switch have := v.(type) {
	case bool:
		want, ok := f.value.(bool)
		return ok && have == want
	case string:
		want, ok := f.value.(string)
		if !ok {
			return false
		}
		if leaf := f.path.leaf(); leaf.Type != typeTime {
			return compare(f.op, leaf.fold(have), leaf.fold(want))
		}
		at, err := time.Parse(time.RFC3339Nano, have)
		return err == nil && ordered(f.op, at.Compare(f.at))
	}
	return false
}

func compare(op, have, want string) bool {
	switch op {
	case "co":
		return strings.Contains(have, want)
	case "sw":
		return strings.HasPrefix(have, want)
	case "ew":
		return strings.HasSuffix(have, want)
	}
	return ordered(op, strings.Compare(have, want))
}

func ordered(op string, c int) bool {
	switch op {
	case "eq":
		return c == 0
	case "gt":
		return c > 0
	case "ge":
		return c >= 0
	case "lt":
		return c < 0
	}
	return c <= 0
}

// pinned gives an attribute, by its path, and the text that it must equal for a
// resource to fit; ok is false where the filter leaves that open.
func (f *Filter) pinned(names ...string) (path, value string, ok bool) {
	switch f.op {
	case "and":
		for _, k := range f.kids {
			if path, value, ok := k.pinned(names...); ok {
				return path, value, true
			}
		}
	case "[":
		if eq, value, ok := f.kids[0].pinned("value"); ok {
			return (Path{attr: f.path.attr, sub: find(f.path.attr.Sub, eq)}).String(), value, named(names, f.path.attr.Name+"."+eq)
		}
	case "eq":
		value, isText := f.value.(string)
		path = f.path.String()
		return path, value, isText && named(names, path)
	}
	return "", "", false
}

func named(names []string, path string) bool {
	for _, n := range names {
		if n == path {
			return true
		}
	}
	return false
}
