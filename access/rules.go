package access

import (
	"slices"

	"github.com/mandate-health/mandate/fhir"
)

// rule is one ground on which a request or a resource is judged. It answers
// pass to let the next rule judge, or refuses; it may add consequences to the
// decision. No rule can permit on its own: what every rule lets pass is
// allowed, so a refusal always wins.
type rule struct {
	id    ruleID
	judge func(in *Input, d *Decision) verdict
}

// verdict is one rule's answer.
type verdict struct {
	refused bool
	// hidden asks for "as if absent" instead of "not granted".
	hidden  bool
	code    string
	subject string
}

var pass = verdict{}

func deny(code, subject string) verdict {
	return verdict{refused: true, code: code, subject: subject}
}

func hide(code, subject string) verdict {
	return verdict{refused: true, hidden: true, code: code, subject: subject}
}

// requestRules judge a request before anything is asked of the upstream, in
// this order (SMART TRP-01: the type's scope before the query runs).
func requestRules() []rule {
	return []rule{
		{ruleGrant, judgeGrant},
		{ruleProxy, judgeProxyGate},
		{ruleInteraction, judgeInteraction},
		{ruleType, judgeTypeForCapacity},
		{ruleLog, judgeLog},
		{ruleScope, judgeRequestScope},
		{ruleConsent, judgeRequestConsent},
		{ruleParameter, judgeParameters},
		{ruleCompartment, judgeRequestCompartment},
		{ruleRewrite, narrowSearch},
	}
}

// resourceRules judge each resource on its own, in this order.
func resourceRules() []rule {
	return []rule{
		{ruleGrant, judgeGrant},
		{ruleProxy, judgeProxyGate},
		{ruleType, judgeTypeForCapacity},
		{ruleLog, judgeLog},
		{ruleCompartment, judgeCompartment},
		{ruleScope, judgeResourceScope},
		{ruleLaw, judgeLaw},
		{ruleLabel, judgeSensitivity},
		{ruleConsent, judgeConsent},
	}
}

// rules is the ordered policy; built once, it holds no state.
var rules = struct{ request, resource []rule }{requestRules(), resourceRules()}

// Decide answers whether the request or the resource of the input is allowed,
// and with which consequences. It is a pure function: it never fails, loads
// nothing, and what it does not understand it refuses.
func Decide(in Input) Decision {
	var d Decision
	list := rules.request
	if in.Resource != nil {
		list = rules.resource
	}
	if (in.Request == nil) == (in.Resource == nil) {
		return Decision{Reasons: []Reason{{Rule: "input", Code: "nothing-to-judge"}}}
	}
	in.Resource = withContained(in.Resource)
	for _, r := range list {
		v := r.judge(&in, &d)
		if v.refused && !in.loosen(r.id, v, &d) {
			return Decision{
				Hidden:    v.hidden,
				Reasons:   []Reason{{Rule: ruleNames[r.id], Code: v.code, Subject: v.subject}},
				WouldDeny: d.WouldDeny,
			}
		}
	}
	if in.Modes.of[ruleRewrite] != Enforce {
		d.Rewrite = nil
	}
	d.Allow = true
	return d
}

// withContained counts the labels of contained resources as the container's
// own: what is inside leaves with it (SMART TRP-13).
func withContained(res *fhir.Resource) *fhir.Resource {
	if res == nil || len(res.Contained) == 0 {
		return res
	}
	whole := *res
	whole.Labels = LabelsOf(res)
	return &whole
}

// LabelsOf gives the labels of a resource and of all that it contains.
func LabelsOf(res *fhir.Resource) []fhir.Coding {
	out := slices.Clone(res.Labels)
	for i := range res.Contained {
		out = append(out, LabelsOf(&res.Contained[i])...)
	}
	return out
}
