package directory

import (
	"reflect"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

// PatchURN is the schema of a PATCH (RFC 7644 §3.5.2).
const PatchURN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// Op is one operation of a PATCH.
type Op struct {
	do    string
	path  Path
	value any
}

// ParsePatch reads the body of a PATCH. Errors: errs.Invalid with code scim-syntax,
// scim-path, scim-filter, scim-target, scim-mutability, scim-attribute-unknown,
// scim-password or scim-value; errs.TooLarge with code scim-limit.
func ParsePatch(s *Schema, body map[string]any) ([]Op, error) {
	var list []any
	named := false
	for name, v := range body {
		switch strings.ToLower(name) {
		case "schemas":
			all, _ := v.([]any)
			named = len(all) == 1 && all[0] == PatchURN
		case "operations":
			list, _ = v.([]any)
		default:
			return nil, errSyntax()
		}
	}
	switch {
	case !named || len(list) == 0:
		return nil, errSyntax()
	case len(list) > maxOps:
		return nil, errs.New(errs.TooLarge, "scim-limit", "The request has more operations than one may bring.")
	}
	var out []Op
	for _, one := range list {
		ops, err := parseOp(s, one)
		if err != nil {
			return nil, err
		}
		if out = append(out, ops...); len(out) > maxOps {
			return nil, errs.New(errs.TooLarge, "scim-limit", "The request has more operations than one may bring.")
		}
	}
	return out, nil
}

// parseOp reads one operation; one without a path is several.
func parseOp(s *Schema, one any) ([]Op, error) {
	members, ok := one.(map[string]any)
	if !ok {
		return nil, errSyntax()
	}
	var (
		do, path string
		value    any
		pathed   bool
	)
	for name, v := range members {
		said, isText := v.(string)
		switch strings.ToLower(name) {
		case "op":
			do = strings.ToLower(said)
		case "path":
			if path, pathed = said, true; !isText {
				return nil, fault("scim-path", "A path is a text.")
			}
		case "value":
			value = v
		default:
			return nil, errSyntax()
		}
	}
	if do != "add" && do != "remove" && do != "replace" {
		return nil, errSyntax()
	}
	if pathed {
		op, err := newOp(s, do, path, value)
		return []Op{op}, err
	}
	if do == "remove" {
		return nil, fault("scim-target", "An operation that removes names a path.")
	}
	parts, ok := value.(map[string]any)
	if !ok {
		return nil, fault("scim-value", "An operation without a path has an object of attributes as its value.")
	}
	var out []Op
	for _, name := range sorted(parts) {
		if strings.EqualFold(name, "schemas") {
			continue
		}
		op, err := newOp(s, do, name, parts[name])
		if err != nil {
			return nil, err
		}
		out = append(out, op)
	}
	return out, nil
}

func sorted(m map[string]any) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func newOp(s *Schema, do, path string, value any) (Op, error) {
	if strings.EqualFold(path, "password") {
		_, err := s.target(path)
		return Op{}, err
	}
	p, err := ParsePath(s, path)
	if err != nil {
		return Op{}, err
	}
	op := Op{do: do, path: p}
	if !p.kept() {
		return op, nil
	}
	if p.attr.Mutability == readOnly || p.leaf().Mutability == readOnly {
		return op, fault("scim-mutability", "The operation changes what only the server says.")
	}
	if value == nil && do != "remove" {
		op.do = "remove"
	}
	if value != nil {
		op.value, err = p.value(value)
	}
	return op, err
}

// value reads what an operation brings for its path.
func (p Path) value(v any) (any, error) {
	if p.sub != nil {
		return p.sub.single(v)
	}
	if p.where != nil {
		members, ok := v.(map[string]any)
		if !ok {
			return nil, fault("scim-value", "The value of a part of a list is an object.")
		}
		loose := *p.attr
		loose.Multi = false
		return loose.parts(members)
	}
	return p.attr.normal(v)
}

// apply does the operations one after the other on a copy of the resource. Errors:
// errs.Invalid with code scim-target or scim-mutability.
func apply(resource map[string]any, ops []Op) (map[string]any, error) {
	var out map[string]any
	if err := remarshal(resource, &out); err != nil {
		return nil, err
	}
	for _, op := range ops {
		if !op.path.kept() {
			continue
		}
		if err := op.apply(out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (op Op) apply(r map[string]any) error {
	a := op.path.attr
	if op.do == "remove" && op.path.sub == nil && op.path.where == nil && op.value == nil {
		if a.Required {
			return fault("scim-mutability", "The operation removes what must be there.")
		}
		delete(r, a.Name)
		return nil
	}
	switch {
	case a.Multi:
		return op.many(r)
	case op.do == "remove" && op.path.sub == nil:
		return fault("scim-target", "Only values of a list are removed by their value.")
	case op.path.sub != nil:
		part, _ := r[a.Name].(map[string]any)
		if part == nil {
			part = map[string]any{}
		}
		set(part, op.path.sub.Name, op.value, op.do)
		r[a.Name] = part
	case a.Type == typeComplex && op.do == "add":
		part, _ := r[a.Name].(map[string]any)
		if part == nil {
			part = map[string]any{}
		}
		more, _ := op.value.(map[string]any)
		for name, v := range more {
			part[name] = v
		}
		r[a.Name] = part
	default:
		set(r, a.Name, op.value, op.do)
	}
	return nil
}

func set(m map[string]any, name string, v any, do string) {
	if do == "remove" || v == nil {
		delete(m, name)
		return
	}
	m[name] = v
}

// many changes the values of a list.
func (op Op) many(r map[string]any) error {
	name := op.path.attr.Name
	have := values(r[name])
	if op.path.where != nil || op.path.sub != nil {
		return op.some(r, have)
	}
	fresh := values(op.value)
	switch op.do {
	case "remove":
		have = slices.DeleteFunc(slices.Clone(have), func(v any) bool { return contains(fresh, v) })
	case "replace":
		have = fresh
	default:
		have = slices.Clone(have)
		for _, v := range fresh {
			if !contains(have, v) {
				have = append(have, v)
			}
		}
	}
	if op.do != "remove" {
		have = onePrimary(have, fresh)
	}
	put(r, name, have)
	return nil
}

func put(r map[string]any, name string, all []any) {
	if len(all) == 0 {
		delete(r, name)
		return
	}
	r[name] = all
}

// contains reports whether a list has a value: complex ones are the same where
// their value is.
func contains(all []any, v any) bool {
	return slices.ContainsFunc(all, func(o any) bool {
		one, ok := o.(map[string]any)
		other, also := v.(map[string]any)
		if ok && also {
			return one["value"] == other["value"] && (one["type"] == other["type"] || one["type"] == nil || other["type"] == nil)
		}
		return reflect.DeepEqual(o, v)
	})
}

// some changes those values of a list that the path chooses.
func (op Op) some(r map[string]any, have []any) error {
	name := op.path.attr.Name
	var out, touched []any
	for _, v := range have {
		one, ok := v.(map[string]any)
		if !ok || op.path.where != nil && !op.path.where.Match(one) {
			out = append(out, v)
			continue
		}
		touched = append(touched, v)
		switch {
		case op.do == "remove" && op.path.sub == nil:
			continue
		case op.path.sub != nil:
			if op.do == "remove" && op.path.sub.Required {
				return fault("scim-mutability", "The operation removes what must be there.")
			}
			set(one, op.path.sub.Name, op.value, op.do)
		default:
			more, _ := op.value.(map[string]any)
			if op.do == "replace" {
				clear(one)
			}
			for k, m := range more {
				one[k] = m
			}
		}
		out = append(out, one)
	}
	if len(touched) == 0 {
		fresh := op.fresh()
		if fresh == nil {
			return fault("scim-target", "The path chooses no value.")
		}
		out, touched = append(out, fresh), []any{fresh}
	}
	put(r, name, onePrimary(out, touched))
	return nil
}

// fresh is the value that an add makes whose path chooses none and says with eq what
// it would be; nil for any other operation.
func (op Op) fresh() map[string]any {
	if op.do == "remove" || op.path.where == nil || op.path.sub == nil {
		return nil
	}
	out := map[string]any{}
	terms := []*Filter{op.path.where}
	if op.path.where.op == "and" {
		terms = op.path.where.kids
	}
	for _, t := range terms {
		if t.op != "eq" || t.value == nil {
			return nil
		}
		out[t.path.attr.Name] = t.value
	}
	set(out, op.path.sub.Name, op.value, op.do)
	if out["value"] == nil {
		return nil
	}
	return out
}

// onePrimary makes the newest primary value the only one (RFC 7644 §3.5.2).
func onePrimary(all, fresh []any) []any {
	chosen := -1
	for i, v := range all {
		if one, ok := v.(map[string]any); ok && one["primary"] == true && slices.ContainsFunc(fresh, func(f any) bool { return reflect.DeepEqual(f, v) }) {
			chosen = i
		}
	}
	for i, v := range all {
		if one, ok := v.(map[string]any); ok && chosen >= 0 && i != chosen && one["primary"] == true {
			delete(one, "primary")
		}
	}
	return all
}
