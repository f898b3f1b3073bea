package access

import (
	"slices"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
)

// Mode says what becomes of a refusal by one rule.
type Mode uint8

// The modes. The zero value enforces.
const (
	// Enforce lets a refusal count.
	Enforce Mode = iota
	// Audit lets pass what the rule refuses and notes it (Decision.WouldDeny).
	Audit
	// Off lets pass what the rule refuses and notes nothing.
	Off
)

var modeNames = [...]string{"enforce", "audit", "off"}

// String gives the name by which configuration calls the mode.
func (m Mode) String() string {
	if int(m) < len(modeNames) {
		return modeNames[m]
	}
	return "unknown"
}

// ruleID numbers the rules that Modes speak of.
type ruleID uint8

const (
	ruleGrant ruleID = iota
	ruleProxy
	ruleInteraction
	ruleType
	ruleLog
	ruleScope
	ruleConsent
	ruleParameter
	ruleCompartment
	ruleRewrite
	ruleLaw
	ruleLabel
	ruleInput
	ruleReference
	ruleUpload
	ruleCount
)

var ruleNames = [ruleCount]string{
	ruleGrant: "grant", ruleProxy: "proxy", ruleInteraction: "interaction", ruleType: "type", ruleLog: "log", ruleScope: "scope",
	ruleConsent: "consent", ruleParameter: "parameter", ruleCompartment: "compartment", ruleRewrite: "rewrite", ruleLaw: "law",
	ruleLabel: "label", ruleInput: "input", ruleReference: "reference", ruleUpload: "upload",
}

// Care says how freely a rule may be loosened.
type Care uint8

// The degrees of care.
const (
	// Free rules keep nothing back that another would not: loosening one lets
	// nobody see more.
	Free Care = iota
	// Guarded rules keep data from people. In production loosening one takes a
	// switch of its own that is warned of.
	Guarded
	// Fixed rules are always enforced: without them there is nobody to decide
	// about (grant, proxy) or nothing that could answer (interaction).
	Fixed
)

// careOf tells how freely each rule may be loosened.
var careOf = [ruleCount]Care{
	ruleGrant: Fixed, ruleProxy: Fixed, ruleInteraction: Fixed, ruleType: Guarded, ruleLog: Guarded, ruleScope: Guarded,
	ruleConsent: Guarded, ruleParameter: Guarded, ruleCompartment: Guarded, ruleRewrite: Free, ruleLaw: Guarded,
	ruleLabel: Guarded, ruleInput: Free, ruleReference: Guarded, ruleUpload: Free,
}

// Modes say how strictly each rule is applied. It is a comparable value without
// references; the zero value enforces every rule. It is written in the
// configuration file, one line for each rule that is not enforced:
//
//	[rules]
//	input = "audit"
//	label = "audit"
//	unsafe_loosened = true
//
// A file with this table alone is a policy file too (mandate replay --policy).
// The rules "input", "upload" and "reference" are the gateway's own: the first two
// judge what is to be stored, the last what a resource tells of those it refers
// to. The
// sender constraint of tokens is no rule here: a token that is bound to a
// key or a certificate is refused without it, always.
type Modes struct{ of [ruleCount]Mode }

// Loosened is one rule that is not enforced.
type Loosened struct {
	Rule string
	Mode Mode
	Care Care
}

// ParseModes reads modes by rule name: "enforce", "audit" or "off"; an empty
// text enforces. It returns errs.Invalid naming every fault at once.
func ParseModes(set map[string]string) (Modes, error) {
	var m Modes
	var faults []string
	for name, text := range set {
		if err := m.set(name, text); err != nil {
			faults = append(faults, err.Error())
		}
	}
	if faults != nil {
		slices.Sort(faults)
		return Modes{}, errs.New(errs.Invalid, "rule-mode", strings.Join(faults, " "))
	}
	return m, nil
}

func (m *Modes) set(name, text string) error {
	if text == "" {
		text = modeNames[Enforce]
	}
	id, mode := slices.Index(ruleNames[:], name), slices.Index(modeNames[:], text)
	switch {
	case id < 0:
		return errs.New(errs.Invalid, "rule-mode", "There is no rule "+name+".")
	case mode < 0:
		return errs.New(errs.Invalid, "rule-mode", "The rule "+name+" takes enforce, audit or off, not "+text+".")
	case careOf[id] == Fixed && Mode(mode) != Enforce:
		return errs.New(errs.Invalid, "rule-mode", "The rule "+name+" is always enforced.")
	}
	m.of[id] = Mode(mode)
	return nil
}

// Of gives the mode of a rule; what is no rule is enforced.
func (m Modes) Of(rule string) Mode {
	if i := slices.Index(ruleNames[:], rule); i >= 0 {
		return m.of[i]
	}
	return Enforce
}

// Loosened lists the rules that are not enforced, in the order of the rules.
func (m Modes) Loosened() []Loosened {
	var out []Loosened
	for id, mode := range m.of {
		if mode != Enforce {
			out = append(out, Loosened{ruleNames[id], mode, careOf[id]})
		}
	}
	return out
}

// String gives "rule=mode" of each rule that is not enforced, "" for none.
func (m Modes) String() string {
	var out []string
	for _, l := range m.Loosened() {
		out = append(out, l.Rule+"="+l.Mode.String())
	}
	return strings.Join(out, " ")
}

// CareOf tells how freely a rule may be loosened; what is no rule may not be.
func CareOf(rule string) Care {
	if i := slices.Index(ruleNames[:], rule); i >= 0 {
		return careOf[i]
	}
	return Fixed
}

// Rules lists every rule in the order in which they judge.
func Rules() []string { return slices.Clone(ruleNames[:]) }

// loosen reports whether a refusal does not count, and notes it where it is
// to be told.
func (in *Input) loosen(id ruleID, v verdict, d *Decision) bool {
	switch in.Modes.of[id] {
	case Audit:
		d.WouldDeny = append(d.WouldDeny, Reason{Rule: ruleNames[id], Code: v.code, Subject: v.subject})
		return true
	case Off:
		return true
	}
	return false
}
