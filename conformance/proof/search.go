package proof

import (
	"net/url"
	"slices"
	"strings"
)

// probes are parameters by whose effect hidden data could be told (TRP-05,
// GW-06), proxyProbes those that only a proxy is refused.
var (
	probes      = []string{"_has", "_filter", "_list", "_text", "_content", "_query", "_contained"}
	proxyProbes = []string{"_security"}
)

// probing reports whether a search asks what nobody, or no proxy, may ask.
func (j judge) probing(params url.Values) bool {
	for name := range params {
		base, _, _ := strings.Cut(name, ":")
		if slices.Contains(probes, base) || strings.Contains(name, ".") || j.g.Kind == Proxy && slices.Contains(proxyProbes, base) {
			return true
		}
	}
	return false
}

func (j judge) search(typ, query string, within func(*Resource) (in, sure bool)) Expectation {
	if !j.g.speaks(typ, "s") {
		return refused("TRP-02", 403)
	}
	if slices.Contains(neverForApps, typ) {
		return refused("TR-14", 200, 403)
	}
	params, _ := url.ParseQuery(query)
	if j.probing(params) {
		return refused("GW-06", 400, 403)
	}
	e := Expectation{Status: []int{200}, Total: -1}
	var matches []*Resource
	for _, r := range j.w.Resources {
		in, sure := true, true
		if within != nil {
			in, sure = within(r)
		}
		if r.Type != typ || !in || !matchesAll(r, params) || !j.visible(r, "s") {
			continue
		}
		j.sort(&e, r, sure)
		matches = append(matches, r)
	}
	if len(e.May) == 0 {
		e.Total = len(e.Must)
	}
	if len(e.Must) == 0 {
		e.Status = j.hidden(200)
	}
	if params.Get("_summary") == "count" {
		e.Must, e.May = nil, nil
		return e
	}
	j.included(&e, matches, params)
	return e
}

// included adds what _include and _revinclude bring: each resource on its own
// right, by reading or finding it (M-16).
func (j judge) included(e *Expectation, matches []*Resource, params url.Values) {
	either := func(r *Resource) bool { return r != nil && (j.visible(r, "r") || j.visible(r, "s")) }
	from := slices.Clone(e.Must)
	for _, v := range params["_include"] {
		typ, name, _ := strings.Cut(v, ":")
		for _, m := range matches {
			for _, ref := range m.facts.refs[name] {
				if r := j.w.Find(ref); m.Type == typ && either(r) && slices.Contains(from, m.Ref()) && !j.doubtful(r) && !slices.Contains(e.Must, r.Ref()) {
					e.Must = append(e.Must, r.Ref())
				}
			}
		}
	}
	for _, r := range j.w.Resources {
		if slices.Contains(e.Must, r.Ref()) || slices.Contains(e.May, r.Ref()) || !either(r) {
			continue
		}
		if j.comesAlong(r, matches, params) {
			e.May = append(e.May, r.Ref())
		}
	}
}

// comesAlong reports whether a search may bring the resource beside its matches.
// How far it goes on from there is the upstream's choice.
func (j judge) comesAlong(r *Resource, matches []*Resource, params url.Values) bool {
	if params["_include:iterate"] != nil || slices.Contains(params["_include"], "*") {
		return true
	}
	for _, v := range params["_revinclude"] {
		if typ, _, _ := strings.Cut(v, ":"); r.Type == typ {
			return true
		}
	}
	for _, v := range params["_include"] {
		typ, name, _ := strings.Cut(v, ":")
		if slices.ContainsFunc(matches, func(m *Resource) bool { return m.Type == typ && slices.Contains(m.facts.refs[name], r.Ref()) }) {
			return true
		}
	}
	return false
}

// matchesAll reads the parameters that the generator uses.
func matchesAll(r *Resource, params url.Values) bool {
	for name, values := range params {
		for _, v := range values {
			if !matches(r, name, strings.Split(v, ",")) {
				return false
			}
		}
	}
	return true
}

func matches(r *Resource, name string, want []string) bool {
	switch name {
	case "_id":
		return slices.Contains(want, r.ID)
	case "category", "code", "identifier":
		return tokenMatches(r.facts.tokens[name], want)
	case "_security":
		return tokenMatches(r.facts.own, want)
	case "category:not":
		return !tokenMatches(r.facts.tokens["category"], want)
	case "patient", "subject", "beneficiary", "performer":
		return slices.ContainsFunc(want, func(w string) bool {
			if !strings.Contains(w, "/") {
				w = "Patient/" + w
			}
			return slices.Contains(r.facts.refs[name], w) || name == "patient" && slices.Contains(r.facts.refs["subject"], w)
		})
	}
	return true
}

func (j judge) compartment(id, typ, query string) Expectation {
	if typ != "*" && !j.g.speaks(typ, "s") {
		return refused("TRP-02", 403)
	}
	if !j.open(id, typ, "s") {
		return refused("outside-compartment", j.hidden(404)...)
	}
	return j.search(typ, query, func(r *Resource) (in, sure bool) {
		about := slices.Contains(r.facts.patients, id)
		// Whether a Patient is in its own compartment, and whom an Observation
		// has in focus, is the upstream's choice.
		return about || slices.Contains(r.facts.members, id), r.facts.filed(id)
	})
}

// open reports whether a level at which the grant speaks of the type is bound to
// nobody else than the patient.
func (j judge) open(id, typ, op string) bool {
	return slices.ContainsFunc(scopesOf(j.g.Scopes), func(s granted) bool {
		bound := j.g.bound(s.level)
		return slices.Contains(j.g.levels(), s.level) && s.speaksOf(typ, op) && (bound == "" || bound == id)
	})
}

// everything gives what is visible of one record, and only granted types
// (M-18). What is reached by one of reading and finding alone is left open.
func (j judge) everything(id string) Expectation {
	if j.g.Kind == Proxy {
		return refused("GW-10", 403)
	}
	if !j.g.speaks("Patient", "r") {
		return refused("M-18", 403)
	}
	if !j.open(id, "Patient", "r") {
		return refused("outside-compartment", 404)
	}
	patient := j.w.Find("Patient/" + id)
	if patient == nil || !j.visible(patient, "r") {
		return refused("TRP-03", 404)
	}
	e := Expectation{Status: []int{200}, Total: -1}
	for _, r := range j.w.Resources {
		read, find := j.visible(r, "r"), j.visible(r, "s")
		if !read && !find {
			continue
		}
		j.sort(&e, r, r.facts.filed(id) && read && find)
	}
	return e
}
