package view

import (
	"encoding/json"

	"github.com/mandate-health/mandate/fhir"
)

// StripLabels gives the resource without those codings of meta.security, its
// own and those of contained resources, for which keep is false (LB-17,
// GW-18). A meta that would be empty goes too, because FHIR has no empty
// objects. When nothing is removed the bytes are returned as they are. It
// returns errs.Invalid as Scan does.
func StripLabels(raw []byte, keep func(fhir.Coding) bool) ([]byte, error) {
	c := start(raw)
	out, _ := c.stripResource(keep)
	if err := c.end(); err != nil {
		return nil, err
	}
	return out, nil
}

// within opens a cursor on a part of the text that has been checked already,
// at the same depth.
func (c *cursor) within(part json.RawMessage) *cursor {
	return &cursor{text: part, depth: c.depth + 1}
}

// stripResource consumes a resource; changed tells whether out differs from
// the bytes read.
func (c *cursor) stripResource(keep func(fhir.Coding) bool) (out json.RawMessage, changed bool) {
	if c.peek() != '{' {
		c.fail("resource-type", "The body is not a FHIR resource.")
		return nil, false
	}
	from := c.at
	list := c.members()
	whole := json.RawMessage(c.text[from:c.at])
	for i := range list {
		if list[i].Name != "meta" && list[i].Name != "contained" {
			continue
		}
		var did bool
		inner := c.within(list[i].Value)
		switch list[i].Name {
		case "meta":
			list[i].Value, did = inner.stripMeta(keep)
		default:
			list[i].Value, did = inner.stripList(func() (json.RawMessage, bool) { return inner.stripResource(keep) })
		}
		if inner.err != nil {
			c.fail("resource-meta", "The resource's meta cannot be read.")
			return nil, false
		}
		changed = changed || did
	}
	if !changed {
		return whole, false
	}
	return Join(list), true
}

// stripMeta consumes a meta; an empty result means that nothing is left.
func (c *cursor) stripMeta(keep func(fhir.Coding) bool) (out json.RawMessage, changed bool) {
	whole := c.text
	list := c.members()
	for i := range list {
		if list[i].Name != "security" {
			continue
		}
		inner := c.within(list[i].Value)
		list[i].Value, changed = inner.stripList(func() (json.RawMessage, bool) {
			inner.peek()
			at := inner.at
			if coding := inner.coding(); keep(coding) {
				return inner.text[at:inner.at], false
			}
			return nil, true
		})
		if inner.err != nil {
			c.malformed()
		}
	}
	if !changed {
		return whole, false
	}
	return Join(list), true
}

// stripList consumes an array and keeps what each gives; nil drops the item,
// and a list without items is dropped itself.
func (c *cursor) stripList(each func() (item json.RawMessage, changed bool)) (out json.RawMessage, changed bool) {
	c.array(func() {
		item, did := each()
		changed = changed || did
		if len(item) == 0 || c.err != nil {
			return
		}
		if len(out) > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	})
	if len(out) == 0 {
		return nil, changed
	}
	return append(append(json.RawMessage{'['}, out...), ']'), changed
}
