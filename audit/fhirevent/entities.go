package fhirevent

import (
	"encoding/base64"
	"maps"
	"slices"
	"strconv"

	"github.com/mandate-health/mandate/fhir"
)

// entities lists the patient, what was touched or asked, and the authority for
// it. AuthZconsent allows the patient, the consents and the token only.
func (m mapping) entities() []entity {
	var out []entity
	if p := m.patient(); p != nil {
		out = append(out, entity{
			What: p,
			Type: &coding{systemEntityType, "1", "Person"},
			Role: &coding{systemObjectRole, "1", "Patient"},
		})
	}
	if q := m.query(); q != "" {
		out = append(out, entity{
			Type:  &coding{systemEntityType, "2", "System Object"},
			Role:  &coding{systemObjectRole, "24", "Query"},
			Query: base64.StdEncoding.EncodeToString([]byte(q)),
		})
	}
	if d := m.data(); d != nil && m.shape.pattern != decision && !m.searches() {
		out = append(out, entity{
			What: d,
			Type: &coding{systemEntityType, "2", "System Object"},
			Role: &coding{systemObjectRole, "4", "Domain Resource"},
		})
	}
	for _, c := range m.consents() {
		out = append(out, entity{What: &reference{Reference: c}, Type: &coding{System: systemResources, Code: "Consent"}})
	}
	if m.e.TokenID != "" {
		out = append(out, entity{What: named("", jtiPrefix+m.e.TokenID), Type: &coding{System: systemAgentType, Code: "UserOauthAgent"}})
	}
	if m.closed() {
		return out
	}
	if m.e.RequestID != "" {
		out = append(out, entity{What: named("", m.e.RequestID), Type: &coding{System: systemBALPEntity, Code: "XrequestId"}})
	}
	if m.e.GrantID != "" {
		out = append(out, entity{What: named("", m.e.GrantID), Type: &coding{System: SystemEntity, Code: "grant"}})
	}
	if facts := m.facts(); facts != nil {
		out = append(out, entity{Type: &coding{System: SystemEntity, Code: "facts"}, Detail: facts})
	}
	return out
}

// closed reports whether the claimed profile allows no further entities.
func (m mapping) closed() bool { return m.claims && m.shape.pattern == decision }

func (m mapping) patient() *reference {
	if !fhir.ValidID(m.e.Patient) {
		return nil
	}
	return &reference{Reference: "Patient/" + m.e.Patient}
}

// data names the one resource that was touched, with its version when known.
func (m mapping) data() *reference {
	r := m.e.Resource
	if !fhir.ValidType(r.Type) || !fhir.ValidID(r.ID) {
		return nil
	}
	ref := r.String()
	if fhir.ValidID(m.e.ResourceVersion) {
		ref += "/_history/" + m.e.ResourceVersion
	}
	return &reference{Reference: ref}
}

// consents gives the versioned references that can be written as such.
func (m mapping) consents() []string {
	var out []string
	for _, c := range m.e.Consents {
		if ref, ok := fhir.ParseReference(c); ok && ref.Type == "Consent" {
			out = append(out, c)
		}
	}
	return out
}

func (m mapping) searches() bool {
	return m.shape.pattern == rest && m.interaction() == "search-type"
}

// query is what was asked for. By the patterns a search has a query and no
// data; reads, changes and decisions have no query.
func (m mapping) query() string {
	switch {
	case m.searches() && m.e.Query == "":
		return m.e.Resource.Type
	case m.shape.pattern == decision || m.shape.profile != "" && !m.searches():
		return ""
	}
	return m.e.Query
}

// facts lists the further identifiers of the event in a fixed order. The hash
// of a typed name stands with its agent.
func (m mapping) facts() []detail {
	var out []detail
	if m.e.Count > 0 {
		out = append(out, detail{Type: "count", Value: strconv.Itoa(m.e.Count)})
	}
	if m.e.SessionID != "" {
		out = append(out, detail{Type: "session", Value: m.e.SessionID})
	}
	for _, k := range slices.Sorted(maps.Keys(m.e.Detail)) {
		if v := m.e.Detail[k]; k != "username_hash" && k != "" && v != "" {
			out = append(out, detail{Type: k, Value: v})
		}
	}
	return out
}
