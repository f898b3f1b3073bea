package consent

import (
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/oauth/flow"
	"github.com/mandate-health/mandate/web/pages"
)

// form is what a person ticked so far.
type form struct {
	kinds   map[string]kindForm
	actions []string
	topics  []string
	keep    bool
	keepFor pages.KeepFor
}

// kindForm is one row: ticked, and narrowed to categories or not.
type kindForm struct {
	on         bool
	only       bool
	categories []string
}

func kindField(typ string) string {
	if typ == "*" {
		return "kind.rest"
	}
	return "kind." + typ
}

func actionField(typ string) string {
	if typ == "*" {
		return "act.any"
	}
	return "act." + typ
}

func categoryField(typ, code string) string { return "cat." + typ + "." + code }

func topicField(topic string) string { return "topic." + topic }

func ticked(r *http.Request, field string) bool { return r.PostFormValue(field) == "on" }

// readForm reads the answer against what was offered: fields that do not
// belong to the offer are not even looked at.
func readForm(r *http.Request, o flow.Offer) (form, []pages.FieldError) {
	f := form{kinds: map[string]kindForm{}}
	var faults []pages.FieldError
	for _, k := range o.Kinds {
		field := kindField(k.Type)
		kf := kindForm{on: ticked(r, field), only: r.PostFormValue(field+".how") == "only"}
		for _, c := range k.Categories {
			if ticked(r, categoryField(k.Type, c.Coding.Code)) {
				kf.categories = append(kf.categories, c.Value())
			}
		}
		switch {
		case kf.on && kf.only && len(kf.categories) == 0:
			faults = append(faults, pages.FieldError{Field: field, Key: pages.ErrNoCategory})
		case kf.on && !kf.only && len(kf.categories) > 0:
			// Without scripts both can be chosen; the wider one must not win
			// unasked.
			faults = append(faults, pages.FieldError{Field: field, Key: pages.ErrAllOrOnly})
		}
		f.kinds[k.Type] = kf
	}
	for _, t := range o.Topics {
		if ticked(r, topicField(string(t.Topic))) {
			f.topics = append(f.topics, string(t.Topic))
		}
	}
	for _, a := range o.Actions {
		if ticked(r, actionField(a.Type)) {
			f.actions = append(f.actions, a.Type)
		}
	}
	f.keep = o.KeepOffered && ticked(r, pages.FieldKeep)
	f.keepFor = pages.KeepFor(r.PostFormValue(pages.FieldKeepFor))
	if !slices.Contains([]pages.KeepFor{pages.KeepWeek, pages.KeepQuarter, pages.KeepYear}, f.keepFor) {
		f.keepFor = pages.KeepQuarter
	}
	if f.empty() && len(o.Kinds)+len(o.Actions) > 0 {
		faults = append(faults, pages.FieldError{Key: pages.ErrNothingTicked})
	}
	return f, faults
}

// empty reports whether nothing was ticked that could be granted.
func (f form) empty() bool {
	for _, k := range f.kinds {
		if k.on {
			return false
		}
	}
	return len(f.actions) == 0
}

// fields names the fields that hold what was chosen.
func (f form) fields() []string {
	out := []string{pages.FieldKeep, pages.FieldKeepFor}
	for typ, k := range f.kinds {
		if !k.on {
			continue
		}
		out = append(out, kindField(typ), kindField(typ)+".how")
		for _, value := range k.categories {
			_, code, _ := strings.Cut(value, "|")
			out = append(out, categoryField(typ, code))
		}
	}
	for _, typ := range f.actions {
		out = append(out, actionField(typ))
	}
	for _, t := range f.topics {
		out = append(out, topicField(t))
	}
	return out
}

// leftOut lists what the maker calls necessary and the person did not tick.
func (f form) leftOut(o flow.Offer) []pages.ConsentKind {
	var out []pages.ConsentKind
	for _, k := range o.Kinds {
		if k.Required != "" && !f.kinds[k.Type].on {
			out = append(out, kindRow(k, f))
		}
	}
	return out
}

// ticks gives the answer as the flow takes it.
func (f form) ticks(handle string) flow.Ticks {
	t := flow.Ticks{Kinds: map[string][]string{}, Actions: f.actions, Topics: f.topics, Handle: handle}
	for typ, k := range f.kinds {
		switch {
		case !k.on:
		case k.only:
			t.Kinds[typ] = k.categories
		default:
			t.Kinds[typ] = nil
		}
	}
	if f.keep {
		t.Keep = flow.Keep(f.keepFor)
	}
	return t
}
