package proof

import (
	"encoding/json"
	"slices"
	"strings"
)

const (
	systemConfidentiality = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
	systemActCode         = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
)

type object = map[string]any

type coding struct{ system, code string }

// facts are what the rows ask of a resource.
type facts struct {
	// patients are the local ids of those whom it is about; strange says that it
	// is also about somebody who cannot be resolved (TRP-23).
	patients []string
	strange  bool
	// members are the patients in whose compartment it is beside being about
	// them, by performer, author and the like (CMP-10).
	members []string
	tokens  map[string][]coding
	// labels are those of the resource and of what it contains, own those that
	// stand on itself.
	labels, own []coding
	// classified says that somebody said of the resource itself how confidential
	// it is.
	classified bool
	// targets are the "Type/id" whose visibility it depends on or hands on.
	targets []string
	// refs are the references by search parameter, as "Type/id".
	refs map[string][]string
}

func read(typ, id string, raw json.RawMessage, sets []ValueSet) facts {
	var m object
	// The generator wrote it.
	_ = json.Unmarshal(raw, &m)
	f := facts{tokens: map[string][]coding{}, refs: map[string][]string{}}
	f.labels = labels(m)
	f.own = labels(object{"meta": m["meta"]})
	f.classify(sets, codesIn(typ, m))
	for _, name := range []string{"category", "code", "type"} {
		f.tokens[name] = concepts(m[name])
	}
	for _, i := range list(m["identifier"]) {
		f.tokens["identifier"] = append(f.tokens["identifier"], coding{text(i["system"]), text(i["value"])})
	}
	f.tokens["code"] = append(f.tokens["code"], concepts(m["medicationCodeableConcept"])...)
	f.about(typ, id, m)
	// What is inside leaves with it (GW-24, TRP-13).
	for _, c := range list(m["contained"]) {
		inner := facts{}
		inner.about(text(c["resourceType"]), "", c)
		for _, p := range inner.patients {
			if p != "" && !slices.Contains(f.patients, p) && !f.strange {
				f.patients = append(f.patients, p)
			}
		}
	}
	f.beside(typ, m)
	for _, p := range []string{"subject", "performer", "encounter", "requester", "asserter", "patient", "author", "beneficiary"} {
		f.refs[p] = append(f.refs[p], references(m[p])...)
	}
	f.refs["payor"], f.refs["target"] = references(m["payor"]), references(m["target"])
	for _, e := range list(m["member"]) {
		f.refs["member"] = append(f.refs["member"], references(e["entity"])...)
	}
	for _, e := range list(m["participant"]) {
		f.refs["actor"] = append(f.refs["actor"], references(e["actor"])...)
	}
	return f
}

// about finds whom the record is of, by the one element that says so for its
// type (CMP-10, CMP-11, CMP-15). Elements in which others are usual beside
// patients do not make it strange.
func (f *facts) about(typ, id string, m object) {
	switch typ {
	case "Patient":
		f.patients = []string{id}
	case "Immunization", "AllergyIntolerance":
		f.only(m["patient"])
	case "Coverage":
		f.only(m["beneficiary"])
	case "Task":
		f.only(m["for"])
	case "Group":
		for _, e := range list(m["member"]) {
			f.among(e["entity"])
		}
	case "Appointment":
		for _, e := range list(m["participant"]) {
			f.among(e["actor"])
		}
	case "Observation":
		f.only(m["subject"])
		f.among(m["focus"])
	case "Provenance":
		f.targets = references(m["target"])
	case "Condition", "MedicationRequest", "Procedure", "Encounter", "DocumentReference", "Communication", "List":
		f.only(m["subject"])
	}
	if typ == "DocumentReference" {
		for _, c := range list(m["content"]) {
			a, _ := c["attachment"].(object)
			if url, _ := a["url"].(string); url != "" {
				f.targets = append(f.targets, url)
			}
		}
	}
}

func (f *facts) only(v any) {
	for _, raw := range rawReferences(v) {
		if id, ok := strings.CutPrefix(raw, "Patient/"); ok && !strings.Contains(id, "/") {
			f.patients = append(f.patients, id)
			continue
		}
		f.strange = true
	}
}

func (f *facts) among(v any) {
	for _, raw := range rawReferences(v) {
		typ, id, _ := strings.Cut(raw, "/")
		switch {
		case strings.Contains(raw, "://") || raw == "":
			f.strange = true
		case typ == "Patient":
			f.patients = append(f.patients, id)
		}
	}
}

// beside finds those in whose compartment it is without being about them.
func (f *facts) beside(typ string, m object) {
	for _, name := range []string{"performer", "asserter", "author", "recorder", "sender", "recipient", "policyHolder", "subscriber", "payor"} {
		for _, ref := range references(m[name]) {
			if id, ok := strings.CutPrefix(ref, "Patient/"); ok {
				f.members = append(f.members, id)
			}
		}
	}
	if typ == "Procedure" {
		for _, p := range list(m["performer"]) {
			for _, ref := range references(p["actor"]) {
				if id, ok := strings.CutPrefix(ref, "Patient/"); ok {
					f.members = append(f.members, id)
				}
			}
		}
	}
}

// labels gives the security labels, those of what is contained included: it
// leaves with its container (TRP-13).
func labels(m object) []coding {
	var out []coding
	if meta, ok := m["meta"].(object); ok {
		out = codings(meta["security"])
	}
	for _, c := range list(m["contained"]) {
		out = append(out, labels(c)...)
	}
	return out
}

func list(v any) []object {
	var out []object
	items, _ := v.([]any)
	for _, e := range items {
		if m, ok := e.(object); ok {
			out = append(out, m)
		}
	}
	return out
}

func codings(v any) []coding {
	var out []coding
	for _, c := range list(v) {
		system, _ := c["system"].(string)
		code, _ := c["code"].(string)
		out = append(out, coding{system, code})
	}
	return out
}

// concepts reads a CodeableConcept, or a list of them.
func concepts(v any) []coding {
	if m, ok := v.(object); ok {
		return codings(m["coding"])
	}
	var out []coding
	for _, c := range list(v) {
		out = append(out, codings(c["coding"])...)
	}
	return out
}

// rawReferences reads a Reference, or a list of them; "" stands for one that
// names nothing by address.
func rawReferences(v any) []string {
	one := func(m object) string {
		s, _ := m["reference"].(string)
		return s
	}
	if m, ok := v.(object); ok {
		return []string{one(m)}
	}
	var out []string
	for _, m := range list(v) {
		out = append(out, one(m))
	}
	return out
}

func references(v any) []string {
	return slices.DeleteFunc(rawReferences(v), func(s string) bool { return s == "" || strings.Contains(s, "://") || strings.HasPrefix(s, "#") })
}

// filed reports whether the record names the patient where every FHIR server
// looks for it.
func (f *facts) filed(id string) bool {
	for _, name := range []string{"subject", "patient", "beneficiary"} {
		if slices.Contains(f.refs[name], "Patient/"+id) {
			return true
		}
	}
	return false
}
