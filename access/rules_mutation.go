//go:build mutation

package access

import "slices"

// RuleNames lists the rules, each once. It exists in mutation builds only.
func RuleNames() []string {
	var out []string
	for _, r := range slices.Concat(requestRules(), resourceRules()) {
		if name := ruleNames[r.id]; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// Without switches one rule off, everywhere, until restore is called. It exists
// in mutation builds only, so that a proof can show that it would notice.
func Without(name string) (restore func()) {
	before := rules
	drop := func(list []rule) []rule {
		return slices.DeleteFunc(slices.Clone(list), func(r rule) bool { return ruleNames[r.id] == name })
	}
	rules.request, rules.resource = drop(rules.request), drop(rules.resource)
	return func() { rules = before }
}

// WithoutFilter lets every resource pass that the upstream gives: only requests
// are judged and narrowed, until restore is called. It exists in mutation builds
// only.
func WithoutFilter() (restore func()) {
	before := rules
	rules.resource = nil
	return func() { rules = before }
}
