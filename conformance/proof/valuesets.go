package proof

import (
	"encoding/json"
	"slices"
)

// ValueSet says which codes make a resource that its source did not label
// sensitive, in the form of a file of value sets (SI-02).
type ValueSet struct {
	Name   string           `json:"name"`
	Types  []string         `json:"types,omitempty"`
	Codes  []codesOf        `json:"codes"`
	Labels []map[string]any `json:"labels"`
	Whole  bool             `json:"whole,omitempty"`
}

type codesOf struct {
	System string   `json:"system"`
	Codes  []string `json:"codes"`
}

const (
	notes = "urn:notes"
	drugs = "urn:drugs"
)

// valueSets are those of every world that has some.
func valueSets() []ValueSet {
	labels := func(codes ...string) (out []map[string]any) {
		for _, c := range codes {
			out = append(out, label(c))
		}
		return out
	}
	return []ValueSet{
		{Name: "conflict", Codes: []codesOf{{notes, []string{"quarrel"}}}, Labels: labels("R", "PSY")},
		{Name: "prognosis", Codes: []codesOf{{loinc, []string{"3-3"}}}, Labels: labels("R")},
		{Name: "drugs", Types: []string{"MedicationRequest"}, Codes: []codesOf{{drugs, []string{"opioid"}}}, Labels: labels("R", "OPIOIDUD"), Whole: true},
		{Name: "ordinary", Types: []string{"Observation", "Condition"}, Codes: []codesOf{{loinc, []string{"1-1"}}}, Labels: labels("N"), Whole: true},
		{Name: "kept", Types: []string{"DocumentReference", "Condition"}, Codes: []codesOf{{notes, []string{"private"}}}, Labels: labels("PSYTHPN")},
	}
}

// LabelFile gives the value sets of the world as a file, nil for none.
func (w *World) LabelFile() []byte {
	if w.Sets == nil {
		return nil
	}
	// Texts and lists of texts can always be written.
	raw, _ := json.Marshal(map[string]any{"version": "proof", "sets": w.Sets})
	return raw
}

// coded are the codes of a resource and of what it contains, by type.
type coded struct {
	typ  string
	code coding
}

func codesIn(typ string, m object) []coded {
	var out []coded
	for _, name := range []string{"code", "category", "type", "medicationCodeableConcept"} {
		for _, c := range concepts(m[name]) {
			out = append(out, coded{typ, c})
		}
	}
	for _, c := range list(m["contained"]) {
		out = append(out, codesIn(text(c["resourceType"]), c)...)
	}
	return out
}

// classify gives the labels of what its source did not label by the value sets,
// and whether anybody classified the resource itself: what only a part of it says
// or a set that is not whole leaves it unclassified (LB-01, GW-23).
func (f *facts) classify(sets []ValueSet, codes []coded) {
	_, f.classified = rank(f.own)
	if slices.ContainsFunc(f.own, func(c coding) bool {
		return c.system == systemConfidentiality || c.system == systemActCode && !slices.Contains(refrains, c.code)
	}) {
		return
	}
	for _, s := range sets {
		if !slices.ContainsFunc(codes, s.holds) {
			continue
		}
		for _, l := range s.Labels {
			f.labels = append(f.labels, coding{text(l["system"]), text(l["code"])})
		}
		f.classified = f.classified || s.Whole
	}
}

func (s ValueSet) holds(c coded) bool {
	if len(s.Types) > 0 && !slices.Contains(s.Types, c.typ) {
		return false
	}
	return slices.ContainsFunc(s.Codes, func(of codesOf) bool { return of.System == c.code.system && slices.Contains(of.Codes, c.code.code) })
}
