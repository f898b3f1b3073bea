package fhirevent_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/mandate-health/mandate/audit/fhirevent"
)

// element is one line of a profile.
type element struct {
	least int
	most  int
	// patterns are what a value may match; one of them.
	patterns []any
	// by and closed are how slices are told apart.
	by     string
	closed bool
}

const unbounded = 1 << 30

// profile is what a profile asks for, by the id of its elements without the
// resource's name: "agent:user.who".
type profile map[string]*element

func (p profile) at(id string) *element {
	if p[id] == nil {
		p[id] = &element{most: unbounded}
	}
	return p[id]
}

// fromDefinition reads the differential of a StructureDefinition.
func fromDefinition(t *testing.T, raw []byte) (p profile, base string) {
	t.Helper()
	var d struct {
		BaseDefinition string
		Differential   struct{ Element []map[string]any }
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	p = profile{}
	for _, e := range d.Differential.Element {
		_, id, nested := strings.Cut(e["id"].(string), ".")
		if !nested {
			continue
		}
		el := p.at(id)
		if least, ok := e["min"].(float64); ok {
			el.least = int(least)
		}
		if most, ok := e["max"].(string); ok && most != "*" {
			n, err := strconv.Atoi(most)
			if err != nil {
				t.Fatal(err)
			}
			el.most = n
		}
		for key, v := range e {
			if strings.HasPrefix(key, "pattern") || strings.HasPrefix(key, "fixed") {
				el.patterns = append(el.patterns, v)
			}
		}
		if s, ok := e["slicing"].(map[string]any); ok {
			el.by = s["discriminator"].([]any)[0].(map[string]any)["path"].(string)
			el.closed = s["rules"] == "closed"
		}
	}
	return p, d.BaseDefinition
}

// balp reads testdata/balp.txt.
func balp(t *testing.T) map[string]profile {
	t.Helper()
	raw, err := os.ReadFile("testdata/balp.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]profile{}
	var p profile
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "profile "); ok {
			p = profile{}
			out[name] = p
			continue
		}
		if line != "" && line[0] != '#' {
			p.line(t, line)
		}
	}
	return out
}

func (p profile) line(t *testing.T, line string) {
	t.Helper()
	what, value, valued := strings.Cut(line, " = ")
	words := strings.Fields(what)
	parent, names := "", words[0]
	if i := strings.LastIndexByte(names, '.'); i >= 0 {
		parent, names = names[:i+1], names[i+1:]
	}
	for name := range strings.SplitSeq(names, ",") {
		id := parent + name
		e := p.at(id)
		for i, w := range words[1:] {
			switch low, high, counted := strings.Cut(w, ".."); {
			case counted:
				e.least, _ = strconv.Atoi(low)
				if e.most = unbounded; high != "*" {
					e.most, _ = strconv.Atoi(high)
				}
			case w == "by":
				e.by, e.closed = words[i+2], words[i+3] == "closed"
			case w == "type" && valued:
				e = p.at(id + ".type")
			}
		}
		if !valued {
			continue
		}
		for text := range strings.SplitSeq(value, " | ") {
			e.patterns = append(e.patterns, constant(t, text, strings.HasPrefix(id, "agent")))
		}
	}
}

// constant reads "x", true or SYSTEM#code, which is a concept of agents and a
// coding elsewhere.
func constant(t *testing.T, text string, concept bool) any {
	t.Helper()
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		return v
	}
	system, code, _ := strings.Cut(text, "#")
	url := map[string]string{
		"DCM": "http://dicom.nema.org/resources/ontology/DCM", "PART": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
		"CLASS": "http://terminology.hl7.org/CodeSystem/v3-RoleClass", "SEC": "http://terminology.hl7.org/CodeSystem/extra-security-role-type",
		"ENT": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "ROLE": "http://terminology.hl7.org/CodeSystem/object-role",
		"RES": "http://hl7.org/fhir/resource-types", "UA": "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes",
		"EVT": "http://terminology.hl7.org/CodeSystem/audit-event-type", "REST": "http://hl7.org/fhir/restful-interaction",
		"BALP": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "PROV": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
	}[system]
	if url == "" {
		t.Fatalf("%s is not a constant", text)
	}
	coding := map[string]any{"system": url, "code": code}
	if concept {
		return map[string]any{"coding": []any{coding}}
	}
	return coding
}

// check gives what of a profile a resource does not meet.
func (p profile) check(node any, id string) []string {
	var out []string
	names := map[string]bool{}
	for key := range p {
		if rest, below := strings.CutPrefix(key, id); below {
			name, _, _ := strings.Cut(rest, ".")
			name, _, _ = strings.Cut(name, ":")
			names[name] = true
		}
	}
	for name := range names {
		values, e := valuesOf(node, name), p[id+name]
		if e != nil {
			out = append(out, e.judge(id+name, values)...)
			if e.by != "" {
				out = append(out, p.slices(id+name, e, values)...)
			}
		}
		for _, v := range values {
			out = append(out, p.check(v, id+name+".")...)
		}
	}
	return out
}

// judge compares the number of values and each with the patterns.
func (e *element) judge(id string, values []any) []string {
	var out []string
	if len(values) < e.least || len(values) > e.most {
		out = append(out, fmt.Sprintf("%s stands %d times", id, len(values)))
	}
	for _, v := range values {
		if !e.fits(v) {
			out = append(out, fmt.Sprintf("%s is %v", id, v))
		}
	}
	return out
}

// fits reports whether a value matches one of the patterns, if there are some.
func (e *element) fits(v any) bool {
	for _, pattern := range e.patterns {
		if matches(pattern, v) {
			return true
		}
	}
	return len(e.patterns) == 0
}

// slices sorts values into slices and checks each.
func (p profile) slices(id string, e *element, values []any) []string {
	var out []string
	taken := make([]int, len(values))
	for key, slice := range p {
		name, is := strings.CutPrefix(key, id+":")
		if !is || strings.Contains(name, ".") {
			continue
		}
		var members []any
		for i, v := range values {
			tell, told := slice, []any{v}
			if e.by != "$this" {
				tell, told = p[key+"."+e.by], valuesOf(v, e.by)
			}
			for _, one := range told {
				if tell.fits(one) {
					members = append(members, v)
					taken[i]++
					break
				}
			}
		}
		out = append(out, (&element{least: slice.least, most: slice.most}).judge(key, members)...)
		for _, m := range members {
			out = append(out, p.check(m, key+".")...)
		}
	}
	for i, n := range taken {
		if n > 1 || n == 0 && e.closed {
			out = append(out, fmt.Sprintf("%s %d is in %d slices", id, i, n))
		}
	}
	return out
}

// valuesOf gives the values of an element, one or many.
func valuesOf(node any, name string) []any {
	m, _ := node.(map[string]any)
	if kind, choice := strings.CutSuffix(name, "[x]"); choice {
		for key := range m {
			if strings.HasPrefix(key, kind) {
				name = key
			}
		}
	}
	switch v := m[name].(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

// matches reports whether a value has all that a pattern has.
func matches(pattern, v any) bool {
	switch pattern := pattern.(type) {
	case map[string]any:
		m, ok := v.(map[string]any)
		for key, want := range pattern {
			ok = ok && matches(want, m[key])
		}
		return ok
	case []any:
		list, _ := v.([]any)
		for _, want := range pattern {
			found := false
			for _, have := range list {
				found = found || matches(want, have)
			}
			if !found {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(pattern, v)
}

// profiles gives every profile that an event may claim, by its URL: BALP's from
// the testdata, Mandate's own from what is served.
func profiles(t *testing.T) map[string][]profile {
	t.Helper()
	const prefix = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
	out := map[string][]profile{}
	theirs := balp(t)
	for name, p := range theirs {
		if name == "AuthZconsent" {
			out[prefix+name] = []profile{p}
		} else if name != "Patient" {
			out[prefix+name], out[prefix+"Patient"+name] = []profile{p}, []profile{p, theirs["Patient"]}
		}
	}
	definitions, err := fhirevent.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range definitions {
		if d.Type != "StructureDefinition" {
			continue
		}
		p, base := fromDefinition(t, d.JSON)
		out[d.URL] = append([]profile{p}, out[base]...)
	}
	return out
}
