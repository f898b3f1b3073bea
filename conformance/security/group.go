package security

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func group() []kit.Row {
	return []kit.Row{
		{ID: "SMART TRP-26", Title: "a service of a group stays in it, in exports and in every other request",
			Also: []string{"BLK-07"}, Needs: kit.Backend | kit.Upstream | kit.Grouped, Run: groupStays},
		{ID: "SMART TRP-08b", Title: "a service with a granular scope replaces nothing outside it", Needs: kit.Backend | kit.Upstream, Run: groupReplaces},
	}
}

// groupWorld is a service of a group with its members and somebody else.
type groupWorld struct {
	t           *kit.Target
	token, wide string
	in          map[string]bool
	member      string
	stranger    string
}

func enterGroup(ctx context.Context, t *kit.Target) (w groupWorld, err error) {
	client := t.GroupedClient()
	if w.token, err = system(ctx, t, client, "system/*.cruds"); err != nil {
		return w, err
	}
	if w.wide, err = system(ctx, t, t.Client("backend"), "system/*.cruds"); err != nil {
		return w, err
	}
	res, err := t.Behind(ctx, "Group/"+client.PatientGroup)
	if err != nil {
		return w, err
	}
	w.t, w.in = t, map[string]bool{}
	list, _ := res.JSON()["member"].([]any)
	for _, raw := range list {
		m, _ := raw.(map[string]any)
		entity, _ := m["entity"].(map[string]any)
		ref, _ := entity["reference"].(string)
		w.member = strings.TrimPrefix(ref, "Patient/")
		w.in[w.member] = true
	}
	patients, err := t.Behind(ctx, "Patient?_count=200")
	if err != nil {
		return w, err
	}
	for _, e := range patients.Entries() {
		if !w.in[e.ID] {
			w.stranger = e.ID
		}
	}
	if w.member == "" || w.stranger == "" {
		return w, kit.Unmet{Why: "a Group with some of the patients behind the server"}
	}
	return w, nil
}

// alone checks that nothing in a list of resources is about a stranger.
func (w groupWorld) alone(c *kit.Check, what string, found []kit.Entry) {
	for _, e := range found {
		var who string
		switch e.Type {
		case "Patient":
			who = e.ID
		case "Observation":
			subject, _ := e.Resource["subject"].(map[string]any)
			ref, _ := subject["reference"].(string)
			who = strings.TrimPrefix(ref, "Patient/")
		default:
			continue
		}
		if !c.That(w.in[who], "%s: %s/%s is about a patient outside the group", what, e.Type, e.ID) {
			return
		}
	}
}

func groupStays(ctx context.Context, t *kit.Target) error {
	w, err := enterGroup(ctx, t)
	if err != nil {
		return err
	}
	var c kit.Check
	theirs, err := t.First(ctx, "Observation?_count=1&patient=Patient/"+w.stranger)
	c.Note(err)
	for path, want := range map[string][]int{
		"Patient/" + w.member: {200}, "Patient/" + w.stranger: {403, 404}, "Observation/" + theirs: {403, 404},
		"Patient/" + w.stranger + "/Observation": {403, 404}, "Patient/" + w.stranger + "/$everything": {403, 404},
		"Patient/" + w.stranger + "/_history": {403, 404},
	} {
		res, err := t.FHIR(ctx, w.token, path)
		judge(&c, res, err, want...)
	}
	for _, query := range []string{
		"Patient?_count=100", "Observation?_count=50", "Patient?_id=" + w.stranger, "Observation?patient=" + w.stranger,
		"Observation?patient=" + w.member + "," + w.stranger, "Observation?subject=Patient/" + w.stranger,
		"Patient?_id=" + w.member + "&_revinclude=Observation:subject",
	} {
		res, err := t.FHIR(ctx, w.token, query)
		res = judge(&c, res, err, http.StatusOK)
		w.alone(&c, query, res.Entries())
		c.That(!strings.Contains(query, "?_count") || len(res.Entries()) > 0, "%s finds nothing", query)
	}
	for who, want := range map[string][]int{w.member: {201}, w.stranger: {403, 404}} {
		res, err := t.Write(ctx, w.token, http.MethodPost, "Observation", note(who), nil)
		judge(&c, res, err, want...)
	}
	c.Note(w.exports(ctx, &c))
	return c.Err()
}

// exports begins every kind of export, and one of a group with strangers.
func (w groupWorld) exports(ctx context.Context, c *kit.Check) error {
	groups, err := w.t.Behind(ctx, "Group?_count=50")
	if err != nil {
		return err
	}
	own := w.t.GroupedClient().PatientGroup
	for _, path := range []string{"$export", "Patient/$export", "Group/" + own + "/$export"} {
		_, files, err := exported(ctx, w.t, w.token, path+"?_type=Patient,Observation&_since=2020-01-01T00:00:00Z")
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		found, err := lines(ctx, w.t, w.token, slices.Concat(files["Patient"], files["Observation"]))
		if err != nil {
			return err
		}
		c.That(len(found) > 0, "%s: the files are empty", path)
		w.alone(c, path, found)
	}
	for _, e := range groups.Entries() {
		if e.ID != own {
			res, err := kickOff(ctx, w.t, w.token, "Group/"+e.ID+"/$export?_type=Patient")
			judge(c, res, err, http.StatusForbidden, http.StatusNotFound)
		}
	}
	return nil
}

func groupReplaces(ctx context.Context, t *kit.Target) error {
	client := t.Client("backend")
	wide, err := system(ctx, t, client, "system/Observation.cruds")
	if err != nil {
		return err
	}
	narrow, err := system(ctx, t, client, "system/Observation.cruds?category="+kit.ObservationCategory+"|laboratory")
	if err != nil {
		return err
	}
	var c kit.Check
	who := t.Patient()
	res, err := t.Write(ctx, wide, http.MethodPost, "Observation", note(who), nil)
	id := judge(&c, res, err, http.StatusCreated).Text("id")
	if !c.That(id != "", "the created resource has no id") {
		return c.Err()
	}
	body := note(who)
	body["id"] = id
	body["category"] = []any{map[string]any{"coding": []any{map[string]any{"system": kit.ObservationCategory, "code": "laboratory"}}}}
	res, err = t.Write(ctx, narrow, http.MethodPut, "Observation/"+id, body, nil)
	judge(&c, res, err, 403, 404, 409, 412)
	behind, err := t.Behind(ctx, "Observation/"+id)
	behind = judge(&c, behind, err, http.StatusOK)
	c.That(has(kit.Entry{Type: "Observation", Resource: behind.JSON()}, "category", "vital-signs"), "what lies outside the scope was replaced")
	return c.Err()
}
