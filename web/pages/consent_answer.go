package pages

import (
	"net/url"
	"slices"
)

// ConsentAnswer is the posted answer to a Consent page, read against what the
// page offered: fields that were not offered are ignored (SMART AZ-21).
type ConsentAnswer struct {
	// Allowed is true for "allow". Anything else is a refusal.
	Allowed bool
	// Whole are the fields of the kinds that were ticked without narrowing.
	Whole []string
	// Parts are the fields of ticked categories, by the field of their kind.
	Parts map[string][]string
	// Actions are the fields of the ticked acts.
	Actions []string
	// Keep is how long access is kept; KeepVisit if not ticked or not offered.
	Keep KeepFor
	// Left are required kinds and acts that were left out (ConsentReduced).
	Left []ConsentKind
}

// Read understands the posted form. Errors are for the form as a whole or for
// one kind; with errors the answer must not be used. A refusal has none.
func (p Consent) Read(form url.Values) (ConsentAnswer, []FieldError) {
	a := ConsentAnswer{Allowed: form.Get(FieldAnswer) == "allow", Parts: map[string][]string{}}
	if !a.Allowed {
		return a, nil
	}
	var errs []FieldError
	for _, k := range p.Kinds {
		if !form.Has(k.Field) {
			if k.Required {
				a.Left = append(a.Left, k)
			}
			continue
		}
		if key := a.kind(k, form); key != "" {
			errs = append(errs, FieldError{Field: k.Field, Key: key})
		}
	}
	for _, act := range p.Actions {
		switch {
		case form.Has(act.Field):
			a.Actions = append(a.Actions, act.Field)
		case act.Required:
			a.Left = append(a.Left, act.asKind())
		}
	}
	a.Keep = p.readKeep(form)
	offered := len(p.Kinds)+len(p.Actions) > 0
	if offered && len(errs) == 0 && len(a.Whole)+len(a.Parts)+len(a.Actions) == 0 {
		errs = append(errs, FieldError{Field: p.firstField(), Key: ErrNothingTicked})
	}
	return a, errs
}

// kind takes one ticked kind and gives the key of an error, or "". Ticked parts
// beside "all of it" are not guessed at: the person is asked.
func (a *ConsentAnswer) kind(k ConsentKind, form url.Values) string {
	var parts []string
	for _, c := range k.Categories {
		if form.Has(c.Field) {
			parts = append(parts, c.Field)
		}
	}
	only := len(k.Categories) > 0 && form.Get(k.Field+".how") == "only"
	switch {
	case only && len(parts) == 0:
		return ErrNoCategory
	case !only && len(parts) > 0:
		return ErrAllOrOnly
	case only:
		a.Parts[k.Field] = parts
	default:
		a.Whole = append(a.Whole, k.Field)
	}
	return ""
}

func (p Consent) readKeep(form url.Values) KeepFor {
	if p.Keep == nil || !form.Has(FieldKeep) || len(p.Keep.Offered) == 0 {
		return KeepVisit
	}
	if d := KeepFor(form.Get(FieldKeepFor)); slices.Contains(p.Keep.Offered, d) {
		return d
	}
	return p.Keep.Offered[0]
}

func (p Consent) firstField() string {
	if len(p.Kinds) > 0 {
		return p.Kinds[0].Field
	}
	return p.Actions[0].Field
}

func (a ConsentAction) asKind() ConsentKind {
	return ConsentKind{Field: a.Field, Label: a.Label, Reason: a.Reason, act: &a}
}

// Keeping gives the page with what was posted ticked again, so that nothing is
// lost when it is shown once more.
func (p Consent) Keeping(form url.Values) Consent {
	kinds := slices.Clone(p.Kinds)
	for i := range kinds {
		k := &kinds[i]
		k.Checked = form.Has(k.Field)
		k.Only = form.Get(k.Field+".how") == "only"
		k.Categories = slices.Clone(k.Categories)
		for j := range k.Categories {
			k.Categories[j].Checked = form.Has(k.Categories[j].Field)
		}
	}
	actions := slices.Clone(p.Actions)
	for i := range actions {
		actions[i].Checked = form.Has(actions[i].Field)
	}
	p.Kinds, p.Actions = kinds, actions
	if p.Keep != nil {
		keep := *p.Keep
		keep.Checked = form.Has(FieldKeep)
		if d := KeepFor(form.Get(FieldKeepFor)); slices.Contains(keep.Offered, d) {
			keep.For = d
		}
		p.Keep = &keep
	}
	return p
}

// Posted gives the fields of the form that the page offered, to be repeated by
// ConsentReduced.
func (p Consent) Posted(form url.Values) []Hidden {
	names := []string{FieldHandle, FieldAnswer, FieldKeep, FieldKeepFor}
	for _, k := range p.Kinds {
		names = append(names, k.Field, k.Field+".how")
		for _, c := range k.Categories {
			names = append(names, c.Field)
		}
	}
	for _, a := range p.Actions {
		names = append(names, a.Field)
	}
	var out []Hidden
	for _, n := range names {
		if form.Has(n) {
			out = append(out, Hidden{Name: n, Value: form.Get(n)})
		}
	}
	return out
}
