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
	d.Decide(&in)
	return d
}

// Decide is the function of that name for those who judge many resources: the
// lists of the decision before are overwritten, so that what is permitted takes
// no memory. The input is as it was afterwards.
func (d *Decision) Decide(in *Input) {
	*d = Decision{Reasons: d.Reasons[:0], Obligations: d.Obligations[:0], Consents: d.Consents[:0]}
	list := rules.request
	if in.Resource != nil {
		list = rules.resource
	}
	if (in.Request == nil) == (in.Resource == nil) {
		d.Reasons = append(d.Reasons, Reason{Rule: "input", Code: "nothing-to-judge"})
		return
	}
	whole := in.Resource
	var sets []string
	in.Resource, sets = in.labelled(whole)
	d.apply(list, in)
	d.Reasons = classified(d.Reasons, sets)
	in.Resource = whole
}

// apply asks the rules in order.
func (d *Decision) apply(list []rule, in *Input) {
	for i := range list {
		r := &list[i]
		v := r.judge(in, d)
		if v.refused && !in.loosen(r.id, v, d) {
			*d = Decision{
				Hidden:    v.hidden,
				Reasons:   append(d.Reasons[:0], Reason{Rule: ruleNames[r.id], Code: v.code, Subject: v.subject}),
				WouldDeny: d.WouldDeny, Obligations: d.Obligations[:0], Consents: d.Consents[:0],
			}
			return
		}
	}
	if in.Modes.of[ruleRewrite] != Enforce {
		d.Rewrite = nil
	}
	d.Allow = true
}

// classified adds the value sets by which an unlabelled resource was judged.
func classified(reasons []Reason, sets []string) []Reason {
	for _, name := range sets {
		reasons = append(reasons, Reason{Rule: ruleNames[ruleLabel], Code: "classified", Subject: name})
	}
	return reasons
}

// LabelsOf gives the labels of a resource and of all that it contains.
func LabelsOf(res *fhir.Resource) []fhir.Coding {
	out := slices.Clone(res.Labels)
	for i := range res.Contained {
		out = append(out, LabelsOf(&res.Contained[i])...)
	}
	return out
}
