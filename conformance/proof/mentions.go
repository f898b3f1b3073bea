package proof

import (
	"fmt"
	"slices"
	"strings"
)

// recorded are the types of which a reference tells something about a patient; the
// oracle knows those that are drawn.
var recorded = []string{"Encounter", "Observation", "Condition", "MedicationRequest", "AllergyIntolerance", "Coverage", "DocumentReference", "Appointment", "List"}

// telling adds lists of records, which tell of what they list.
func (g *Generator) telling(w *World) {
	for i := range 2 {
		var entries []any
		for range 1 + g.r.IntN(3) {
			if r := one(g, w.Resources); slices.Contains(recorded, r.Type) {
				entries = append(entries, object{"item": reference(r.Ref())})
			}
		}
		if entries == nil {
			entries = append(entries, object{"item": reference("Observation/o0")})
		}
		g.add(w, "List", fmt.Sprintf("l%d", i), object{"status": "current", "mode": "working", "subject": g.subject(), "meta": g.meta(false), "entry": entries})
	}
}

// mentionable answers whether something that leaves may refer to a record: what
// could be read or searched must be reached; of other types, what neither labels
// nor law nor consents keep, and is about nobody else (GW-08, TRP-16).
func (j judge) mentionable(r *Resource) bool {
	if j.g.speaks(r.Type, "r") || j.g.speaks(r.Type, "s") {
		return j.visible(r, "r") || j.visible(r, "s")
	}
	near := slices.ContainsFunc(scopesOf(j.g.Scopes), func(s granted) bool {
		return slices.Contains(j.g.levels(), s.level) && j.reaches(s.level, r)
	})
	return near && j.lawful(&r.facts) && j.shared(&r.facts) && (j.g.Kind != Proxy || j.g.permitted(r.Type, &r.facts))
}

// secrets lists the records that a text refers to and must not.
func (j judge) secrets(text string) []string {
	var out []string
	for _, r := range j.w.Resources {
		if slices.Contains(recorded, r.Type) && strings.Contains(text, `"`+r.Ref()+`"`) && !j.mentionable(r) {
			out = append(out, r.Ref())
		}
	}
	return out
}

// toldOf reports whether whoever reads a resource sees all that it refers to.
func (j judge) toldOf(m any) bool {
	switch v := m.(type) {
	case object:
		if ref := text(v["reference"]); ref != "" {
			typ, _, _ := strings.Cut(ref, "/")
			r := j.w.Find(ref)
			if slices.Contains(recorded, typ) && (r == nil && (j.g.speaks(typ, "r") || j.g.speaks(typ, "s")) || r != nil && !j.mentionable(r)) {
				return false
			}
		}
		for _, inner := range v {
			if !j.toldOf(inner) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(v, func(inner any) bool { return !j.toldOf(inner) })
	}
	return true
}
