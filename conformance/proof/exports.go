package proof

import (
	"net/url"
	"slices"
	"strings"
)

// export draws a bulk export of the system, of all patients or of a group.
func (g *Generator) export() Request {
	path := one(g, []string{"/$export", "/Patient/$export", "/Group/g0/$export", "/Group/g1/$export"})
	if g.odds(2) {
		path += "?_type=" + one(g, []string{"Observation", "Condition", "Observation,Condition", "Patient", "DocumentReference", "Task"})
	}
	return Request{Method: "GET", Path: path}
}

// export judges what leaves in all files of an export together (BLK-07, BLK-08,
// M-19): each resource on its own, and of a group only what is about members.
func (j judge) export(path, query string) Expectation {
	if j.g.Kind != System {
		return refused("M-19", 403)
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	params, _ := url.ParseQuery(query)
	var named []string
	if v := params.Get("_type"); v != "" {
		named = strings.Split(v, ",")
	}
	both := func(typ string) bool { return j.g.speaks(typ, "r") && j.g.speaks(typ, "s") }
	if parts[0] == "Group" && !both("Group") {
		return refused("BLK-07", 403)
	}
	for _, typ := range named {
		if !both(typ) {
			return refused("TRP-02", 403)
		}
	}
	var group *Resource
	if parts[0] == "Group" {
		if group = j.w.Find("Group/" + parts[1]); group == nil || !j.visible(group, "r") {
			return refused("TRP-03", 403, 404)
		}
	}
	// Nothing at all is granted for both: whether that is an empty export or none
	// is open.
	e := Expectation{Status: []int{200, 403}, Total: -1, lines: true}
	for _, r := range j.w.Resources {
		if len(named) > 0 && !slices.Contains(named, r.Type) || !both(r.Type) {
			continue
		}
		read, find := j.visible(r, "r"), j.visible(r, "s")
		if !read && !find {
			continue
		}
		in, sure := j.exported(r, parts[0], group)
		if !in {
			continue
		}
		e.Status = []int{200}
		j.sort(&e, r, sure && read && find)
	}
	return e
}

// exported says whether a resource is in the scope of an export, and whether
// every FHIR server must find so.
func (j judge) exported(r *Resource, level string, group *Resource) (in, sure bool) {
	filed := r.Type == "Patient" || r.facts.filed(Ana) || r.facts.filed(Ben)
	switch {
	case level == "$export":
		return true, true
	case group == nil:
		return true, filed
	case slices.ContainsFunc(r.facts.patients, func(p string) bool { return !slices.Contains(group.facts.patients, p) }):
		return false, false
	}
	return true, filed && len(r.facts.patients) > 0
}
