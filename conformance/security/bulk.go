package security

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/mandate-health/mandate/conformance/kit"
)

func bulk() []kit.Row {
	needs := kit.Backend | kit.Upstream
	return []kit.Row{
		{ID: "SMART BLK-02", Title: "a type outside the scopes is not exported", Needs: needs, Run: bulkTypes},
		{ID: "SMART BLK-03", Title: "status, cancellation and files need a token that covers them", Needs: needs, Run: bulkGuarded},
		{ID: "SMART BLK-04", Title: "a job belongs to its client and can be deleted", Needs: needs | kit.Second, Run: bulkOwner},
		{ID: "SMART BLK-06", Title: "a new token goes on with an old job, an ended one does not", Needs: needs, Run: bulkNewToken},
		{ID: "SMART BLK-07", Title: "a group export keeps to its group and needs the right to groups", Needs: needs, Run: bulkGroup},
		{ID: "SMART BLK-08", Title: "lines outside a granular scope are absent", Needs: needs, Run: bulkGranular},
		{ID: "SMART BLK-10", Title: "what the ballot adds is refused, and a Group is made only with its scope", Needs: kit.Backend, Run: bulkBallot},
		{ID: "SMART M-20b", Title: "a resource operation that nobody offers is refused to a service too", Needs: kit.Backend, Run: bulkUnknown},
	}
}

// system gives a token of a backend service.
func system(ctx context.Context, t *kit.Target, client kit.Client, scope string) (string, error) {
	res, err := t.ClientCredentials(ctx, client, scope)
	if err != nil {
		return "", err
	}
	if res.Text("access_token") == "" || res.Text("scope") != scope {
		return "", fmt.Errorf("asked for %q, granted %q: %s", scope, res.Text("scope"), res)
	}
	return res.Text("access_token"), nil
}

// kickOff asks for an export.
func kickOff(ctx context.Context, t *kit.Target, token, path string) (*kit.Response, error) {
	return t.Do(ctx, kit.Request{URL: t.FHIRBase + "/" + path, Bearer: token, Header: http.Header{"Prefer": {"respond-async"}, "Accept": {"application/fhir+json"}}})
}

// exported runs an export to its end and gives its status address and files by
// type.
func exported(ctx context.Context, t *kit.Target, token, path string) (at string, files map[string][]string, err error) {
	res, err := kickOff(ctx, t, token, path)
	if err != nil {
		return "", nil, err
	}
	if at = res.Header.Get("Content-Location"); res.Status != http.StatusAccepted || at == "" {
		return "", nil, fmt.Errorf("%s", res)
	}
	manifest, err := poll(ctx, t, at, token)
	if err != nil {
		return at, nil, err
	}
	files = map[string][]string{}
	list, _ := manifest.JSON()["output"].([]any)
	for _, raw := range list {
		file, _ := raw.(map[string]any)
		typ, _ := file["type"].(string)
		link, _ := file["url"].(string)
		files[typ] = append(files[typ], link)
	}
	if manifest.JSON()["requiresAccessToken"] != true {
		err = fmt.Errorf("requiresAccessToken is %v", manifest.JSON()["requiresAccessToken"])
	}
	return at, files, err
}

// lines reads the resources of an export's files.
func lines(ctx context.Context, t *kit.Target, token string, links []string) ([]kit.Entry, error) {
	var out []kit.Entry
	for _, link := range links {
		res, err := t.Do(ctx, kit.Request{URL: link, Bearer: token})
		if err != nil {
			return nil, err
		}
		if res.Status != http.StatusOK {
			return nil, fmt.Errorf("%s", res)
		}
		for line := range strings.Lines(string(res.Body)) {
			var doc map[string]any
			if strings.TrimSpace(line) == "" {
				continue
			}
			if err := json.Unmarshal([]byte(line), &doc); err != nil {
				return nil, err
			}
			e := kit.Entry{Resource: doc}
			e.Type, _ = doc["resourceType"].(string)
			e.ID, _ = doc["id"].(string)
			out = append(out, e)
		}
	}
	return out, nil
}

func bulkTypes(ctx context.Context, t *kit.Target) error {
	token, err := system(ctx, t, t.Client("backend"), "system/Patient.rs")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, path := range []string{"$export?_type=Observation", "$export?_type=Patient,Observation", "Patient/$export?_type=Condition"} {
		res, err := kickOff(ctx, t, token, path)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500, "%s", res)
		}
	}
	res, err := kickOff(ctx, t, token, "$export")
	if !c.Note(err) || res.Status >= 400 {
		return c.Err() // without _type everything is asked, which may be refused
	}
	_, files, err := exported(ctx, t, token, "$export")
	c.Note(err)
	for typ := range files {
		c.That(typ == "Patient", "the export has %s", typ)
	}
	return c.Err()
}

func bulkGuarded(ctx context.Context, t *kit.Target) error {
	client := t.Client("backend")
	wide, err := system(ctx, t, client, "system/Patient.rs system/Observation.rs")
	if err != nil {
		return err
	}
	narrow, err := system(ctx, t, client, "system/Patient.rs")
	if err != nil {
		return err
	}
	at, files, err := exported(ctx, t, wide, "$export?_type=Patient,Observation")
	if err != nil {
		return err
	}
	var c kit.Check
	if !c.That(len(files["Observation"]) > 0 && len(files["Patient"]) > 0, "the export has %d types", len(files)) {
		return c.Err()
	}
	file := files["Observation"][0]
	for what, x := range map[string]struct {
		r    kit.Request
		want []int
	}{
		"a file without token":              {kit.Request{URL: file}, []int{401}},
		"the status without token":          {kit.Request{URL: at}, []int{401}},
		"the cancellation without token":    {kit.Request{Method: http.MethodDelete, URL: at}, []int{401}},
		"a file with a token for less":      {kit.Request{URL: file, Bearer: narrow}, []int{403, 404}},
		"a file with the export's token":    {kit.Request{URL: file, Bearer: wide}, []int{200}},
		"the status with the export's":      {kit.Request{URL: at, Bearer: wide}, []int{200}},
		"a file with the token in the URL":  {kit.Request{URL: file + "?access_token=" + wide}, []int{400, 401}},
		"a file with garbage for a token":   {kit.Request{URL: file, Bearer: "garbage"}, []int{401}},
		"a file that the export has not":    {kit.Request{URL: file + "x", Bearer: wide}, []int{403, 404}},
		"a status that nobody was given":    {kit.Request{URL: at + "x", Bearer: wide}, []int{403, 404}},
		"a cancellation of an invented job": {kit.Request{Method: http.MethodDelete, URL: at + "x", Bearer: wide}, []int{403, 404}},
	} {
		res, err := t.Do(ctx, x.r)
		if c.Note(err) {
			judged := false
			for _, want := range x.want {
				judged = judged || res.Status == want
			}
			c.That(judged, "%s: %s", what, res)
		}
	}
	return c.Err()
}

func bulkOwner(ctx context.Context, t *kit.Target) error {
	mine, err := system(ctx, t, t.Client("backend"), "system/Patient.rs")
	if err != nil {
		return err
	}
	theirs, err := system(ctx, t, t.SecondBackend(), "system/Patient.rs")
	if err != nil {
		return err
	}
	at, files, err := exported(ctx, t, mine, "$export?_type=Patient")
	if err != nil {
		return err
	}
	var c kit.Check
	for what, u := range map[string]string{"status": at, "file": files["Patient"][0]} {
		res, err := t.Do(ctx, kit.Request{URL: u, Bearer: theirs})
		judge(&c, res, err, http.StatusForbidden, http.StatusNotFound)
		c.That(res == nil || !strings.Contains(string(res.Body), `"Patient"`), "another client sees the %s", what)
	}
	res, err := t.Do(ctx, kit.Request{Method: http.MethodDelete, URL: at, Bearer: theirs})
	judge(&c, res, err, http.StatusForbidden, http.StatusNotFound)
	res, err = t.Do(ctx, kit.Request{URL: at, Bearer: mine})
	judge(&c, res, err, http.StatusOK)
	res, err = t.Do(ctx, kit.Request{Method: http.MethodDelete, URL: at, Bearer: mine})
	judge(&c, res, err, http.StatusAccepted)
	res, err = t.Do(ctx, kit.Request{URL: at, Bearer: mine})
	judge(&c, res, err, http.StatusNotFound)
	return c.Err()
}

func bulkNewToken(ctx context.Context, t *kit.Target) error {
	client := t.Client("backend")
	old, err := system(ctx, t, client, "system/Patient.rs")
	if err != nil {
		return err
	}
	at, files, err := exported(ctx, t, old, "$export?_type=Patient")
	if err != nil {
		return err
	}
	fresh, err := system(ctx, t, client, "system/Patient.rs")
	if err != nil {
		return err
	}
	var c kit.Check
	if _, err := t.RevokeToken(ctx, client, old); !c.Note(err) {
		return c.Err()
	}
	for _, u := range []string{at, files["Patient"][0]} {
		res, err := t.Do(ctx, kit.Request{URL: u, Bearer: fresh})
		judge(&c, res, err, http.StatusOK)
		res, err = t.Do(ctx, kit.Request{URL: u, Bearer: old})
		judge(&c, res, err, http.StatusUnauthorized)
	}
	return c.Err()
}

// members gives the patients of a group at the server behind.
func members(ctx context.Context, t *kit.Target) (id string, in map[string]bool, err error) {
	res, err := t.Behind(ctx, "Group?_count=50")
	if err != nil {
		return "", nil, err
	}
	smallest := -1
	for _, e := range res.Entries() {
		list, _ := e.Resource["member"].([]any)
		if len(list) == 0 || smallest >= 0 && len(list) >= smallest {
			continue
		}
		id, in, smallest = e.ID, map[string]bool{}, len(list)
		for _, raw := range list {
			m, _ := raw.(map[string]any)
			entity, _ := m["entity"].(map[string]any)
			ref, _ := entity["reference"].(string)
			in[strings.TrimPrefix(ref, "Patient/")] = true
		}
	}
	if id == "" {
		return "", nil, kit.Unmet{Why: "a Group with patients behind the server"}
	}
	return id, in, nil
}

func bulkGroup(ctx context.Context, t *kit.Target) error {
	id, in, err := members(ctx, t)
	if err != nil {
		return err
	}
	client := t.Client("backend")
	without, err := system(ctx, t, client, "system/Patient.rs")
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := kickOff(ctx, t, without, "Group/"+id+"/$export?_type=Patient")
	judge(&c, res, err, http.StatusForbidden)
	with, err := system(ctx, t, client, "system/Group.rs system/Patient.rs system/Observation.rs")
	if !c.Note(err) {
		return c.Err()
	}
	_, files, err := exported(ctx, t, with, "Group/"+id+"/$export?_type=Patient,Observation")
	if !c.Note(err) {
		return c.Err()
	}
	seen := 0
	for _, typ := range []string{"Patient", "Observation"} {
		found, err := lines(ctx, t, with, files[typ])
		c.Note(err)
		seen += len(found)
		for _, e := range found {
			who := e.ID
			if typ == "Observation" {
				subject, _ := e.Resource["subject"].(map[string]any)
				ref, _ := subject["reference"].(string)
				who = strings.TrimPrefix(ref, "Patient/")
			}
			c.That(in[who], "%s/%s is about a patient outside the group", typ, e.ID)
		}
	}
	c.That(seen > len(in), "the files have %d lines for %d patients", seen, len(in))
	return c.Err()
}

func bulkGranular(ctx context.Context, t *kit.Target) error {
	scope := "system/Observation.rs?category=" + kit.ObservationCategory + "|laboratory"
	token, err := system(ctx, t, t.Client("backend"), scope)
	if err != nil {
		return err
	}
	_, files, err := exported(ctx, t, token, "$export?_type=Observation&_since="+t.Now().Add(-60*24*time.Hour).UTC().Format("2006-01-02T15:04:05Z"))
	if err != nil {
		return err
	}
	found, err := lines(ctx, t, token, files["Observation"])
	if err != nil {
		return err
	}
	var c kit.Check
	c.That(len(found) > 0, "the files are empty")
	for _, e := range found {
		if !c.That(has(e, "category", "laboratory"), "Observation/%s of %v is outside the scope", e.ID, e.Codes("category")) {
			break
		}
	}
	return c.Err()
}

func bulkUnknown(ctx context.Context, t *kit.Target) error {
	token, err := system(ctx, t, t.Client("backend"), "system/Patient.rs")
	if err != nil {
		return err
	}
	var c kit.Check
	for _, path := range []string{"$meta", "Patient/$match", "Patient/$nothing", "$graphql?query={x}"} {
		res, err := t.FHIR(ctx, token, path)
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500, "%s", res)
		}
	}
	return c.Err()
}

func bulkBallot(ctx context.Context, t *kit.Target) error {
	client := t.Client("backend")
	all, err := system(ctx, t, client, "system/*.cruds")
	if err != nil {
		return err
	}
	reader, err := system(ctx, t, client, "system/Group.rs")
	if err != nil {
		return err
	}
	var c kit.Check
	res, err := t.Write(ctx, all, http.MethodPost, "$bulk-submit", map[string]any{"resourceType": "Parameters"}, nil)
	if c.Note(err) {
		c.That(res.Status >= 400 && res.Status < 500, "%s", res)
	}
	asked, err := t.ClientCredentials(ctx, client, "system/bulk-submit")
	if c.Note(err) {
		c.That(asked.Text("access_token") == "", "system/bulk-submit is granted")
	}
	group := map[string]any{"resourceType": "Group", "type": "person", "actual": true}
	res, err = t.Write(ctx, reader, http.MethodPost, "Group", group, nil)
	judge(&c, res, err, http.StatusForbidden)
	res, err = t.Write(ctx, all, http.MethodPost, "Group", group, nil)
	judge(&c, res, err, http.StatusCreated)
	return c.Err()
}
