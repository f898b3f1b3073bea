package directory

import (
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/mandate-health/mandate/internal/errs"
)

// How large the parts of a resource may be.
const (
	maxText   = 512
	maxEmails = 20
	// MaxMembers is how many members one request may name.
	MaxMembers = 1000
	maxOps     = 100
)

// errSyntax is for a body that is JSON and not what is wanted.
func errSyntax() error {
	return fault("scim-syntax", "The body is not the JSON object that RFC 7644 wants here.")
}

// Object reads a JSON object whose members no one may mistake for another.
func Object(raw []byte) (map[string]any, error) {
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil || out == nil {
		return nil, errSyntax()
	}
	return out, nil
}

// normal gives a resource with the names of the schema, and checks the types. What
// only the server says is left out, and so is what is not kept. Errors: errs.Invalid
// with code scim-attribute-unknown, scim-value or scim-password.
func (s *Schema) normal(in map[string]any) (map[string]any, error) {
	out := map[string]any{}
	for name, v := range in {
		if strings.EqualFold(name, "schemas") {
			if err := s.knows(v); err != nil {
				return nil, err
			}
			continue
		}
		p, err := s.target(name)
		if err != nil {
			return nil, err
		}
		if !p.kept() || p.attr.Mutability == readOnly || v == nil {
			continue
		}
		if v, err = p.attr.normal(v); err != nil {
			return nil, err
		}
		if v != nil {
			out[p.attr.Name] = v
		}
	}
	return out, nil
}

// target finds a whole attribute by its name.
func (s *Schema) target(name string) (Path, error) {
	if strings.EqualFold(name, "password") {
		return Path{}, fault("scim-password", "No password is taken: people enrol by a link, or sign in at the identity provider.")
	}
	p, err := resolve(s, nil, name)
	if err != nil || p.sub != nil {
		return Path{}, fault("scim-attribute-unknown", "The body has an attribute that is not known here; see /Schemas.")
	}
	return p, nil
}

// knows wants a list of schemas to name none that is not known, and the own one.
func (s *Schema) knows(v any) error {
	all, ok := v.([]any)
	own := false
	for _, one := range all {
		urn, isText := one.(string)
		own = own || strings.EqualFold(urn, s.ID)
		ok = ok && isText && (strings.EqualFold(urn, s.ID) || find(s.Attributes, urn) != nil)
	}
	if !ok || !own {
		return fault("scim-syntax", "The list schemas lacks "+s.ID+" or names a schema that is not known here.")
	}
	return nil
}

// normal gives a value of the attribute, nil for one that is empty.
func (a *Attribute) normal(v any) (any, error) {
	if !a.Multi {
		return a.single(v)
	}
	all, list := v.([]any)
	if !list {
		all = []any{v}
	}
	most := maxEmails
	if a.Name == "members" {
		most = MaxMembers
	}
	if len(all) > most {
		return nil, errs.New(errs.TooLarge, "scim-limit", "An attribute has more values than one request may bring.")
	}
	out := []any{}
	for _, one := range all {
		n, err := a.single(one)
		if err != nil {
			return nil, err
		}
		if n != nil {
			out = append(out, n)
		}
	}
	if len(out) == 0 {
		return nil, nil //nolint:nilnil // an empty list is no value
	}
	return out, nil
}

func (a *Attribute) single(v any) (any, error) {
	bad := fault("scim-value", "An attribute has a value of another type, or a text that is too long.")
	switch a.Type {
	case typeBoolean:
		if said, ok := v.(string); ok && (strings.EqualFold(said, "true") || strings.EqualFold(said, "false")) {
			// A wide-spread directory writes booleans as texts.
			return strings.EqualFold(said, "true"), nil
		}
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, bad
	case typeComplex:
		if said, ok := v.(string); ok && a.Multi {
			v = map[string]any{"value": said}
		}
		members, ok := v.(map[string]any)
		if !ok {
			return nil, bad
		}
		return a.parts(members)
	}
	said, ok := v.(string)
	if !ok || !fit(said) {
		return nil, bad
	}
	return said, nil
}

// parts reads the sub-attributes of a value.
func (a *Attribute) parts(members map[string]any) (any, error) {
	out := map[string]any{}
	for name, v := range members {
		if drops(a.dropped, name) || v == nil {
			continue
		}
		sub := find(a.Sub, name)
		if sub == nil {
			return nil, fault("scim-attribute-unknown", "The body has a sub-attribute that is not known here; see /Schemas.")
		}
		n, err := sub.single(v)
		if err != nil {
			return nil, err
		}
		out[sub.Name] = n
	}
	if len(out) == 0 {
		return nil, nil //nolint:nilnil // without members there is no value
	}
	if a.Multi && (out["value"] == nil || out["value"] == "") {
		return nil, fault("scim-value", "A value of a list lacks its value.")
	}
	return out, nil
}

// fit reports whether a text can be kept and shown in one line.
func fit(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd })
}

// remarshal turns a value into one of another type by its JSON.
func remarshal(from, into any) error {
	raw, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return errSyntax()
	}
	return nil
}
