package view

import (
	"bytes"
	"slices"
)

// Mentions calls each with every literal reference that a resource or a bundle
// may hold: it looks for the word alone, so that it costs little, and may also
// give what stands in a text. It gives all that Withhold would ask about where
// the key is not written with escapes. The bytes are good for the call.
func Mentions(raw []byte, each func(reference []byte)) {
	const key = `"reference"`
	for {
		at := bytes.Index(raw, []byte(key))
		if at < 0 {
			return
		}
		c := cursor{text: raw, at: at + len(key)}
		if c.peek() == ':' {
			c.at++
			if c.peek() == '"' {
				from := c.at
				inner, escaped := c.rawString()
				if escaped && c.err == nil {
					inner = []byte(unquote(raw[from:c.at]))
				}
				if c.err == nil {
					each(inner)
				}
			}
		}
		raw = raw[at+len(key):]
	}
}

// needed lists, by type, the elements of the resource itself without which it
// would say nothing or would not be FHIR, and which may refer to a record: a
// resource that needs what is withheld is withheld with it.
var needed = map[string][]string{
	"AppointmentResponse":         {"appointment"},
	"ClaimResponse":               {"request"},
	"CoverageEligibilityResponse": {"request"},
	"DeviceUseStatement":          {"device"},
	"DocumentManifest":            {"content"},
	"EnrollmentResponse":          {"request"},
	"ImmunizationEvaluation":      {"immunizationEvent"},
	"Linkage":                     {"item"},
	"MedicationAdministration":    {"medicationReference"},
	"MedicationDispense":          {"medicationReference"},
	"MedicationRequest":           {"medicationReference"},
	"MedicationStatement":         {"medicationReference"},
	"PaymentNotice":               {"payment"},
	"PaymentReconciliation":       {"request"},
	"Provenance":                  {"target"},
}

// told are the elements that put into words what a resource refers to. They go
// when a reference goes (GW-08).
var told = map[string][]string{
	"":                   {"text", "note"},
	"DiagnosticReport":   {"conclusion", "conclusionCode", "presentedForm"},
	"ClinicalImpression": {"summary", "description"},
}

// Withhold gives a resource without the references for which drop is true, and
// what they leave behind: what holds a single one goes with it (an entry of a
// List, a diagnosis of an Encounter), an empty list goes, and so do the
// narrative, the notes and what else puts the referred into words, of the
// resource and of what it contains. Where nothing is dropped the bytes are
// returned as they are. needed tells drop that the resource cannot be without the
// reference; nil is returned for one that cannot be without what was dropped.
// Errors: errs.Invalid as Scan does.
func Withhold(raw []byte, drop func(reference string, needed bool) bool) ([]byte, error) {
	w := withholder{drop: drop}
	out := w.resource(raw)
	if w.err != nil {
		return nil, w.err
	}
	if !w.dropped {
		return raw, nil
	}
	return out, nil
}

type withholder struct {
	drop func(reference string, needed bool) bool
	// typ is that of the resource that is looked at, needs says that its element
	// cannot be left out.
	typ     string
	needs   bool
	dropped bool
	err     error
}

func (w *withholder) members(raw []byte) []Member {
	list, err := Members(raw)
	if err != nil && w.err == nil {
		w.err = err
	}
	return list
}

// resource gives a resource, nil for one that goes.
func (w *withholder) resource(raw []byte) []byte {
	list := w.members(raw)
	above, before := w.typ, w.dropped
	defer func() { w.typ, w.dropped = above, w.dropped || before }()
	w.typ, w.dropped = TypeOf(raw), false
	for i, m := range list {
		if m.Name == "contained" {
			list[i].Value = w.list(m.Value, w.resource)
			continue
		}
		w.needs = slices.Contains(needed[w.typ], m.Name)
		list[i].Value = w.value(m.Value)
		if list[i].Value == nil && w.needs {
			return nil
		}
	}
	w.needs = false
	if !w.dropped {
		return raw
	}
	for i, m := range list {
		if slices.Contains(told[""], m.Name) || slices.Contains(told[w.typ], m.Name) {
			list[i].Value = nil
		}
	}
	return Join(list)
}

// value gives a value, nil for one that goes.
func (w *withholder) value(raw []byte) []byte {
	if len(raw) == 0 || w.err != nil {
		return raw
	}
	switch raw[0] {
	case '{':
		return w.object(raw)
	case '[':
		return w.list(raw, w.value)
	}
	return raw
}

// list gives a list of what is left, nil for nothing.
func (w *withholder) list(raw []byte, each func([]byte) []byte) []byte {
	items, err := Items(raw)
	if err != nil {
		if w.err == nil {
			w.err = err
		}
		return raw
	}
	out, changed := []byte{'['}, false
	for _, item := range items {
		left := each(item)
		changed = changed || !same(left, item)
		if left == nil {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, left...)
	}
	switch {
	case !changed:
		return raw
	case len(out) == 1:
		return nil
	}
	return append(out, ']')
}

// object gives an element.
func (w *withholder) object(raw []byte) []byte {
	list := w.members(raw)
	changed := false
	for i, m := range list {
		if m.Name == "reference" && len(m.Value) > 0 && m.Value[0] == '"' {
			if w.drop(unquote(m.Value), w.needs) {
				w.dropped = true
				return nil
			}
			continue
		}
		left := w.value(m.Value)
		if same(left, m.Value) {
			continue
		}
		if left == nil && m.Value[0] == '{' {
			return nil
		}
		list[i].Value, changed = left, true
	}
	if !changed {
		return raw
	}
	if w.typ == "Composition" {
		return section(list)
	}
	return Join(list)
}

// section gives a section of a Composition of which something was dropped: its
// words go, and one that holds nothing more goes with its title.
func section(list []Member) []byte {
	held, holds := false, false
	for i, m := range list {
		switch m.Name {
		case "text":
			list[i].Value = nil
		case "entry", "section":
			held, holds = true, holds || m.Value != nil
		}
	}
	if held && !holds {
		return nil
	}
	return Join(list)
}

// same reports whether two values are the very same bytes.
func same(a, b []byte) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }
