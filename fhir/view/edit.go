package view

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/mandate-health/mandate/fhir"
)

// Set replaces the value of a member, or adds the member at the end; resource
// readers accept any order. The input is not changed.
func Set(list []Member, name string, value json.RawMessage) []Member {
	list = slices.Clone(list)
	for i := range list {
		if list[i].Name == name {
			list[i].Value = value
			return list
		}
	}
	return append(list, Member{Name: name, Value: value})
}

// Value gives the value of a member, nil when it is absent.
func Value(list []Member, name string) json.RawMessage {
	for _, m := range list {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// Join writes an object of those members that have a value; values byte for
// byte. None gives nil.
func Join(list []Member) json.RawMessage {
	var out json.RawMessage
	for _, m := range list {
		if len(m.Value) > 0 {
			out = append(AppendQuoted(append(out, ','), m.Name), ':')
			out = append(out, m.Value...)
		}
	}
	if len(out) == 0 {
		return nil
	}
	out[0] = '{'
	return append(out, '}')
}

// Quote writes a JSON string.
func Quote(s string) json.RawMessage { return AppendQuoted(nil, s) }

// Stamp gives the resource with the id, the version and the time (UTC, to the
// millisecond) that it is stored under; everything else keeps its bytes. It
// returns errs.Invalid as Scan does.
func Stamp(raw []byte, id string, version int, updated time.Time) ([]byte, error) {
	list, err := Members(raw)
	if err != nil {
		return nil, err
	}
	var meta []Member
	if old := Value(list, "meta"); old != nil {
		if meta, err = Members(old); err != nil {
			return nil, err
		}
	}
	meta = setAfter(meta, "", "lastUpdated", Quote(updated.UTC().Format("2006-01-02T15:04:05.000Z")))
	meta = setAfter(meta, "", "versionId", Quote(strconv.Itoa(version)))
	list = setAfter(list, "resourceType", "id", Quote(id))
	return Join(setAfter(list, "id", "meta", Join(meta))), nil
}

// setAfter is Set, but a member that is added stands behind the one named
// after, or in front.
func setAfter(list []Member, after, name string, value json.RawMessage) []Member {
	if Value(list, name) != nil {
		return Set(list, name, value)
	}
	at := 1 + slices.IndexFunc(list, func(m Member) bool { return m.Name == after })
	return slices.Insert(slices.Clone(list), at, Member{Name: name, Value: value})
}

// KeepLabels gives the resource next with those labels of meta.security that
// prior has and next lacks: whoever was shown a resource without its labels
// must not take them away by writing it back (SMART TRP-21). It returns
// errs.Invalid as Scan does.
func KeepLabels(prior, next []byte) ([]byte, error) {
	had, err := security(prior)
	if err != nil || len(had) == 0 {
		return next, err
	}
	has, err := security(next)
	if err != nil {
		return nil, err
	}
	labels := json.RawMessage{'['}
	for _, l := range has {
		labels = append(append(labels, l.raw...), ',')
	}
	missing := false
	for _, l := range had {
		if !slices.ContainsFunc(has, func(h label) bool { return h.coding == l.coding }) {
			missing = true
			labels = append(append(labels, l.raw...), ',')
		}
	}
	if !missing {
		return next, nil
	}
	labels[len(labels)-1] = ']'
	list, err := Members(next)
	if err != nil {
		return nil, err
	}
	var meta []Member
	if old := Value(list, "meta"); old != nil {
		if meta, err = Members(old); err != nil {
			return nil, err
		}
	}
	return Join(Set(list, "meta", Join(Set(meta, "security", labels)))), nil
}

type label struct {
	coding fhir.Coding
	raw    json.RawMessage
}

// security lists the codings of a resource's meta.security with their text.
func security(raw []byte) ([]label, error) {
	list, err := Members(raw)
	if err != nil {
		return nil, err
	}
	meta := Value(list, "meta")
	if meta == nil {
		return nil, nil
	}
	inner, err := Members(meta)
	if err != nil {
		return nil, err
	}
	text := Value(inner, "security")
	if text == nil {
		return nil, nil
	}
	items, err := Items(text)
	if err != nil {
		return nil, err
	}
	out := make([]label, 0, len(items))
	for _, item := range items {
		c := start(item)
		l := label{coding: c.coding(), raw: item}
		if err := c.end(); err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}
