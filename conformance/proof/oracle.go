package proof

import (
	"slices"
	"strings"
)

// directory types are about nobody; whoever has the scope may look (SCP-14).
var directory = []string{"Practitioner", "Organization", "Location"}

// neverForApps and neverForProxies hold what no scope opens (TR-14, SC-04).
var (
	neverForApps    = []string{"Task"}
	neverForProxies = []string{"Task", "Provenance", "Group", "Flag", "List", "RelatedPerson"}
)

// judge is the oracle about one world and one grant.
type judge struct {
	w *World
	g *Grant
}

// visible answers whether the grant reaches the resource by one operation: r,
// to read it by its address, or s, to find it.
func (j judge) visible(r *Resource, op string) bool {
	f := &r.facts
	if slices.Contains(neverForApps, r.Type) || j.g.Kind == Proxy && slices.Contains(neverForProxies, r.Type) {
		return false
	}
	switch r.Type {
	case "Binary":
		return j.ownedVisibly(r, op)
	case "Provenance":
		// It tells of its targets: one that is hidden hides it (GW-20).
		return j.scoped(r, op) && j.lawful(f) && j.shared(f) && j.ofTargets(r, func(t *Resource) bool { return j.visible(t, "r") || j.visible(t, "s") })
	}
	return j.scoped(r, op) && j.lawful(f) && j.shared(f) && (j.g.Kind != Proxy || j.g.permitted(r.Type, f))
}

// scoped asks for one scope that covers level, type, operation, limits and the
// patient, all of them together (SCP-06).
func (j judge) scoped(r *Resource, op string) bool {
	return slices.ContainsFunc(scopesOf(j.g.Scopes), func(s granted) bool {
		return slices.Contains(j.g.levels(), s.level) && s.speaksOf(r.Type, op) && s.covers(&r.facts) && j.reaches(s.level, r)
	})
}

// reaches asks whether the level's patient is the one whom it is about, alone
// (CMP-10, CMP-11, GW-24).
func (j judge) reaches(level string, r *Resource) bool {
	patient := j.g.bound(level)
	if patient == "" || slices.Contains(directory, r.Type) {
		return true
	}
	if r.Type == "Provenance" {
		return j.ofTargets(r, func(t *Resource) bool { return j.reaches(level, t) })
	}
	if r.Type == "Binary" {
		return slices.ContainsFunc(j.documents(r), func(d *Resource) bool { return j.reaches(level, d) })
	}
	f := &r.facts
	if f.strange || len(f.patients) == 0 {
		return false
	}
	return !slices.ContainsFunc(f.patients, func(p string) bool { return p != patient })
}

// ofTargets asks something of every target of a Provenance (CMP-13).
func (j judge) ofTargets(r *Resource, what func(*Resource) bool) bool {
	for _, ref := range r.facts.targets {
		if t := j.w.Find(ref); t == nil || !what(t) {
			return false
		}
	}
	return len(r.facts.targets) > 0
}

// lawful keeps what no app gets (EV-11): psychotherapy notes; what a clinician
// must talk about first, but for clinicians; data of a Part 2 programme, but
// for the patient and those whom a Consent names.
func (j judge) lawful(f *facts) bool {
	switch {
	case j.w.Modes["law"] != "":
		return true
	case has(f.labels, "PSYTHPN"):
		return false
	case has(f.labels, "NOPAT") && j.g.Kind != Practitioner:
		return false
	}
	return !has(f.labels, "42CFRPart2") || j.g.Kind == Self || j.g.Kind == Proxy
}

// shared asks whether the patient ticked every topic of the data.
func (j judge) shared(f *facts) bool {
	if j.g.Kind != Self || j.w.Modes["label"] != "" {
		return true
	}
	return !slices.ContainsFunc(topicsOf(f.labels), func(t string) bool { return !slices.Contains(j.g.Topics, t) })
}

// ownedVisibly judges a Binary by the documents that hold it (GW-09, TRP-14).
func (j judge) ownedVisibly(r *Resource, op string) bool {
	if j.g.Kind == System && j.scoped(r, op) && j.g.speaks("Binary", "r") {
		// It reaches records of all, but for what the law keeps from it.
		return !slices.ContainsFunc(j.documents(r), func(d *Resource) bool { return !j.lawful(&d.facts) })
	}
	if !j.g.speaks("Binary", op) && (op != "r" || !j.g.speaks("DocumentReference", "r")) {
		return false
	}
	if op == "s" && !j.scoped(r, op) {
		// What may be found is found at the level that may search, though another
		// may read it.
		return false
	}
	return slices.ContainsFunc(j.documents(r), func(d *Resource) bool { return j.visible(d, "r") })
}

// documents are those whose content the Binary is.
func (j judge) documents(r *Resource) []*Resource {
	var out []*Resource
	for _, d := range j.w.Resources {
		if d.Type == "DocumentReference" && slices.Contains(d.facts.targets, r.Ref()) {
			out = append(out, d)
		}
	}
	return out
}

// doubtful says that rows leave open whether a resource that could be visible
// is: it may leave, and need not.
func (j judge) doubtful(r *Resource) bool {
	switch r.Type {
	case "Provenance":
		return !j.ofTargets(r, func(t *Resource) bool {
			return t.Type != "Provenance" && !j.doubtful(t) && j.visible(t, "r") && j.visible(t, "s")
		})
	case "Binary":
		documents := j.documents(r)
		return len(documents) != 1 || j.doubtful(documents[0]) || !j.visible(documents[0], "r")
	}
	// What the whole chart of a Consent without class holds beside clinical data
	// is the house's choice.
	return j.g.Kind == Proxy && (slices.Contains(directory, r.Type) || r.Type == "Coverage")
}

// sort puts what is visible under must or may.
func (j judge) sort(e *Expectation, r *Resource, certain bool) {
	if certain && !j.doubtful(r) {
		e.Must = append(e.Must, r.Ref())
		return
	}
	e.May = append(e.May, r.Ref())
}

// Hidden lists the resources that the grant reaches in no way and that nothing
// it does reach hangs on. Without any of them every answer must be the same
// (TF-21).
func Hidden(w *World, g *Grant) []*Resource {
	j := judge{w, g}
	var out []*Resource
	for _, r := range w.Resources {
		// Of a document the law keeps, a service of all records learns that its
		// attachment is kept too.
		if !g.Ended && (j.visible(r, "r") || j.visible(r, "s") || g.Kind == System && r.Type == "DocumentReference") {
			continue
		}
		out = append(out, r)
	}
	return out
}

// Expect says what the answer to a request may be.
func Expect(w *World, g *Grant, q Request) Expectation {
	j := judge{w, g}
	switch {
	case q.Transaction:
		return j.transaction(q)
	case len(q.Batch) > 0:
		return j.batch(q)
	}
	if g.Ended {
		return refused("SC-14", 401, 403)
	}
	path, query, _ := strings.Cut(q.Path, "?")
	switch {
	case q.Body != "" || q.Method == "DELETE":
		return j.write(q)
	case strings.HasSuffix(path, "$export"):
		return j.export(path, query)
	}
	if q.Form != "" {
		query, path = q.Form, strings.TrimSuffix(path, "/_search")
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) == 1:
		return j.search(parts[0], query, nil)
	case len(parts) == 2 && parts[1] == "_history":
		return refused("type history", 403)
	case len(parts) == 2:
		return j.read(parts[0], parts[1])
	case len(parts) == 4 && parts[2] == "_history", len(parts) == 3 && parts[2] == "_history":
		return j.read(parts[0], parts[1])
	case len(parts) == 3 && parts[2] == "$everything":
		return j.everything(parts[1])
	case len(parts) == 3 && parts[0] == "Patient":
		return j.compartment(parts[1], parts[2], query)
	}
	return refused("unknown", 400, 403, 404)
}

func (j judge) read(typ, id string) Expectation {
	r := j.w.Find(typ + "/" + id)
	if !j.g.speaks(typ, "r") && (typ != "Binary" || !j.g.speaks("DocumentReference", "r")) {
		return refused("TRP-02", 403)
	}
	if slices.Contains(neverForApps, typ) {
		return refused("TR-14", 403, 404)
	}
	if r == nil || !j.visible(r, "r") {
		return refused("TRP-03", j.hidden(404)...)
	}
	e := Expectation{Status: []int{200}, Total: -1}
	if j.sort(&e, r, true); len(e.Must) == 0 {
		e.Status = j.hidden(200, 404)
	}
	return e
}

// hidden adds 403 for proxies: by their Consents a type may be shut as a whole,
// which follows from rules alone (SC-23).
func (j judge) hidden(status ...int) []int {
	if j.g.Kind == Proxy {
		status = append(status, 403)
	}
	return status
}
