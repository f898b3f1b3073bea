package law

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Change is what differs between two laws.
type Change struct {
	// Section and Key name the rule, Was and Is tell it with its days; empty: there
	// is none.
	Section, Key, Was, Is string
	// Effect is narrows (holds at once for accesses there are), widens (for new ones
	// only) or changes (neither).
	Effect string
}

// Effects of a change.
const (
	Narrows = "narrows"
	Widens  = "widens"
	Changes = "changes"
)

// Diff tells what another law changes, by section, key and day.
func Diff(was, is *Law) []Change {
	var out []Change
	before, after := sections(was.Pack), sections(is.Pack)
	for i := range before {
		out = append(out, differ(before[i], after[i])...)
	}
	return out
}

func differ(was, is section) (out []Change) {
	var keys []string
	for _, r := range slices.Concat(was.rules, is.rules) {
		if !slices.Contains(keys, r.key) {
			keys = append(keys, r.key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		a, b := was.tell(key), is.tell(key)
		if a == b {
			continue
		}
		out = append(out, Change{Section: was.name, Key: key, Was: a, Is: b, Effect: effect(was.of(key), is.of(key), was.name)})
	}
	return out
}

func (s section) of(key string) []keyed {
	out := slices.DeleteFunc(slices.Clone(s.rules), func(r keyed) bool { return r.key != key })
	slices.SortFunc(out, func(a, b keyed) int { return cmp.Compare(a.From, b.From) })
	return out
}

// tell gives the rules of one key with their days.
func (s section) tell(key string) string {
	var all []string
	for _, r := range s.of(key) {
		all = append(all, fmt.Sprintf("%s (%s to %s)", r.says, r.From, cmp.Or(r.Until, "open")))
	}
	return strings.Join(all, "; ")
}

// effect judges rules by what they open at most: the last of each.
func effect(was, is []keyed, kind string) string {
	least := map[string]bool{"ages": true, "minor_topics": true, "clocks": true}
	switch {
	case kind == "label_sets":
		return byLabels(was, is)
	case !least[kind]:
		return Changes
	case len(is) == 0:
		return Widens
	case len(was) == 0:
		return Narrows
	}
	a, b := was[len(was)-1].least, is[len(is)-1].least
	switch d := slices.Compare(b, a); {
	case slices.Equal(a, b):
		return Changes
	case d < 0 && !higher(a, b):
		return Narrows
	case d > 0 && !higher(b, a):
		return Widens
	}
	return Changes
}

// higher reports whether some number of the second list is above that of the first.
func higher(a, b []int) bool {
	for i := range min(len(a), len(b)) {
		if b[i] > a[i] {
			return true
		}
	}
	return false
}

// byLabels: a topic that has fewer labels opens less by its name.
func byLabels(was, is []keyed) string {
	words := func(rules []keyed) []string {
		if len(rules) == 0 {
			return nil
		}
		return strings.Fields(rules[len(rules)-1].says)
	}
	a, b := words(was), words(is)
	fewer := slices.ContainsFunc(a, func(l string) bool { return !slices.Contains(b, l) })
	more := slices.ContainsFunc(b, func(l string) bool { return !slices.Contains(a, l) })
	switch {
	case fewer && !more:
		return Narrows
	case more && !fewer:
		return Widens
	}
	return Changes
}
