package app_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/mandate-health/mandate/cmd/app"
	"github.com/mandate-health/mandate/conformance/kit"
)

// described is the part of an OpenAPI document that the story holds the server
// to.
type described struct {
	OpenAPI string
	Servers []struct{ URL string }
	Paths   map[string]map[string]struct {
		ID         string `json:"operationId"`
		Security   []map[string][]string
		Parameters []struct {
			Name, In string
			Required bool
		}
		Body *struct {
			Content map[string]struct{ Schema json.RawMessage }
		} `json:"requestBody"`
		Responses map[string]struct {
			Ref     string `json:"$ref"`
			Headers map[string]json.RawMessage
			Content map[string]struct{ Schema json.RawMessage }
		}
	}
	Components struct {
		Schemas   map[string]json.RawMessage
		Responses map[string]struct {
			Content map[string]struct{ Schema json.RawMessage }
		}
	}
}

// apiCase is one call of a documented operation. Query is what stands behind the
// question mark; a body is JSON.
type apiCase struct {
	op, id, query, body string
	status              int
	header              map[string]string
	// keep takes what later calls need.
	keep func(*kit.Response)
}

// driver calls operations as the document describes them.
type driver struct {
	*server
	doc      described
	operator string
	// seen are the operations, parameters and statuses that were met.
	seen map[string]bool
}

// read gives the server's document.
func (s *server) openAPI(t *testing.T) described {
	t.Helper()
	res := s.get(t, "/docs/openapi.json")
	var doc described
	if err := json.Unmarshal(res.Body, &doc); err != nil || res.Status != http.StatusOK || res.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatal(res, err)
	}
	return doc
}

// find gives the method and the path of an operation.
func (d *driver) find(t *testing.T, id string) (method, path string) {
	t.Helper()
	for path, methods := range d.doc.Paths {
		for method, op := range methods {
			if op.ID == id {
				return method, path
			}
		}
	}
	t.Fatalf("%s is not documented", id)
	return "", ""
}

// valid wants a value to be what the schema says.
func (d *driver) valid(t *testing.T, what string, schema json.RawMessage, body []byte) {
	t.Helper()
	all := map[string]json.RawMessage{"whole": schema}
	maps.Copy(all, d.doc.Components.Schemas)
	raw, err := json.Marshal(map[string]any{"$defs": all, "$ref": "#/$defs/whole"})
	if err != nil {
		t.Fatal(err)
	}
	var root jsonschema.Schema
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(raw), "#/components/schemas/", "#/$defs/")), &root); err != nil {
		t.Fatal(err)
	}
	resolved, err := root.Resolve(nil)
	if err != nil {
		t.Fatal(what, err)
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		t.Errorf("%s: no JSON: %v", what, err)
		return
	}
	if err := resolved.Validate(value); err != nil {
		t.Errorf("%s does not validate: %v\n%s", what, err, body)
	}
}

// call makes one call, and holds request and answer to the document.
func (d *driver) call(t *testing.T, c apiCase) *kit.Response {
	t.Helper()
	method, path := d.find(t, c.op)
	op := d.doc.Paths[path][method]
	r := kit.Request{Method: strings.ToUpper(method), URL: d.Issuer + strings.Replace(path, "{id}", url.PathEscape(c.id), 1), Header: http.Header{}}
	if c.query != "" {
		r.URL += "?" + c.query
	}
	if strings.HasPrefix(path, "/admin/") {
		r.Bearer = d.operator
	}
	for name, value := range c.header {
		r.Header.Set(name, value)
	}
	if c.body != "" {
		if op.Body == nil {
			t.Fatalf("%s takes no body", c.op)
		}
		r.Body, r.Type = strings.NewReader(c.body), "application/json"
		if c.status < 300 {
			d.valid(t, "the body of "+c.op, op.Body.Content["application/json"].Schema, []byte(c.body))
		}
	}
	res := d.do(t, r)
	if res.Status != c.status {
		t.Errorf("%s: %s %s", c.op, res, res.Body)
		return res
	}
	d.note(c, op.ID)
	d.judge(t, c.op, path, method, res)
	if c.keep != nil {
		c.keep(res)
	}
	return res
}

// note remembers what was met.
func (d *driver) note(c apiCase, op string) {
	d.seen[op+" "+strconv.Itoa(c.status)] = true
	values, _ := url.ParseQuery(c.query)
	for name := range values {
		d.seen[op+" ?"+name] = true
	}
	for name := range c.header {
		d.seen[op+" "+name] = true
	}
}

// judge holds an answer to the document.
func (d *driver) judge(t *testing.T, what, path, method string, res *kit.Response) {
	t.Helper()
	answers := d.doc.Paths[path][method].Responses
	told, ok := answers[strconv.Itoa(res.Status)]
	if !ok {
		told = answers["default"]
	}
	content := told.Content
	if told.Ref != "" {
		if res.Status < 400 {
			t.Errorf("%s: the status %d is not documented", what, res.Status)
		}
		content = d.doc.Components.Responses[strings.TrimPrefix(told.Ref, "#/components/responses/")].Content
	}
	media, known := content[res.Header.Get("Content-Type")]
	if !known {
		t.Errorf("%s: the content type %q is not documented", what, res.Header.Get("Content-Type"))
		return
	}
	for name := range told.Headers {
		if res.Header.Get(name) == "" {
			t.Errorf("%s: the answer lacks the header %s", what, name)
		}
	}
	d.valid(t, "the answer of "+what, media.Schema, res.Body)
}

// complete wants every operation, parameter and good status of the document to
// have been met.
func (d *driver) complete(t *testing.T) {
	t.Helper()
	for path, methods := range d.doc.Paths {
		for _, op := range methods {
			for status := range op.Responses {
				if strings.HasPrefix(status, "2") && !d.seen[op.ID+" "+status] {
					t.Errorf("%s was never answered with %s", op.ID, status)
				}
			}
			for _, p := range op.Parameters {
				name := map[string]string{"query": "?" + p.Name, "header": p.Name}[p.In]
				if p.In == "path" && !strings.Contains(path, "{"+p.Name+"}") || p.In != "path" && !d.seen[op.ID+" "+name] {
					t.Errorf("%s: the parameter %s was never used", op.ID, p.Name)
				}
			}
		}
	}
}

// The document describes the administration and launch API as it is: each route
// is in it with its scope, and each operation, driven with each of its
// parameters, answers what it says, and refuses what it does not.
func TestTheAPIIsAsItsDocumentSays(t *testing.T) {
	s := start(t, func(c *app.Config) { c.Registration.Mode = "approval" })
	d := &driver{server: s, doc: s.openAPI(t), operator: s.AdminAPI.Token, seen: map[string]bool{}}
	if d.doc.OpenAPI != "3.1.1" || d.doc.Servers[0].URL != s.Issuer {
		t.Errorf("%s at %v", d.doc.OpenAPI, d.doc.Servers)
	}
	everyRouteIsDocumented(t, d.doc)
	d.clientStories(t)
	d.recordStories(t)
	d.peopleStories(t)
	d.logStories(t)
	d.refusals(t)
	d.complete(t)
}

// everyRouteIsDocumented compares with what the program itself lists.
func everyRouteIsDocumented(t *testing.T, doc described) {
	t.Helper()
	code, out, errOut := cli(t, "routes", "--json")
	var routes []struct{ Method, Path, Scopes string }
	if err := json.Unmarshal([]byte(out), &routes); err != nil || code != 0 {
		t.Fatal(code, errOut, err)
	}
	documented := 0
	for _, r := range routes {
		if !strings.HasPrefix(r.Path, "/admin/") && r.Path != "/launch" {
			continue
		}
		documented++
		op, ok := doc.Paths[r.Path][strings.ToLower(r.Method)]
		if !ok {
			t.Errorf("%s %s is not documented", r.Method, r.Path)
			continue
		}
		if r.Scopes != "" && !slices.Equal(op.Security[0]["accessToken"], []string{r.Scopes}) {
			t.Errorf("%s %s needs %s, and the document says %v", r.Method, r.Path, r.Scopes, op.Security)
		}
	}
	for _, methods := range doc.Paths {
		documented -= len(methods)
	}
	if documented != 0 {
		t.Errorf("%d operations are documented less than there are routes", documented)
	}
	_, again, _ := cli(t, "routes", "--openapi")
	var printed described
	if err := json.Unmarshal([]byte(again), &printed); err != nil || len(printed.Paths) != len(doc.Paths) {
		t.Errorf("mandate routes --openapi: %v", err)
	}
}

// clientStories drives clients, approvals and grants.
func (d *driver) clientStories(t *testing.T) {
	t.Helper()
	var made card
	var tag string
	for _, c := range []apiCase{
		{op: "registerClient", body: asks, status: 201, keep: func(r *kit.Response) {
			tag = r.Header.Get("ETag")
			if err := json.Unmarshal(r.Body, &made); err != nil {
				t.Fatal(err)
			}
		}},
		{op: "listClients", status: 200},
	} {
		d.call(t, c)
	}
	next := strings.Replace(asks, "{", `{"client_id":"`+made.ID+`",`, 1)
	for _, c := range []apiCase{
		{op: "showClient", id: made.ID, status: 200},
		{op: "replaceClient", id: made.ID, body: strings.Replace(next, "Diary", "Heart Diary", 1), header: map[string]string{"If-Match": tag}, status: 200},
		{op: "replaceClient", id: made.ID, body: next, header: map[string]string{"If-Match": tag}, status: 412},
		{op: "rotateClientSecret", id: made.ID, status: 200},
		{op: "retireClientSecret", id: made.ID, status: 200},
		{op: "disableClient", id: made.ID, status: 200},
		{op: "enableClient", id: made.ID, status: 200},
		{op: "listClientRequests", id: "demo-app", query: "count=3", status: 200},
		{op: "inviteClient", body: `{"days":7}`, status: 201},
		{op: "deleteClient", id: made.ID, status: 200},
	} {
		d.call(t, c)
	}
	d.approvals(t)
	g, row := d.connected(t, d.browser("noah"), "noah")
	d.grantLists(t, row)
	d.explanations(t, g, row)
	d.call(t, apiCase{op: "revokeGrant", id: row.ID, status: 200})
	d.refreshed(t, g, g.RefreshToken(), http.StatusBadRequest)
	d.call(t, apiCase{op: "revokeClientGrants", body: `{"client_id":"` + row.Client + `"}`, status: 200})
}

// approvals drives the queue: a client that registered itself waits.
func (d *driver) approvals(t *testing.T) {
	t.Helper()
	wait := func() string {
		res, c := d.jsonTo(t, "POST", d.Issuer+"/register", "", asks)
		if res.Status != http.StatusCreated || c.Status != "pending" {
			t.Fatal(res, c)
		}
		return c.ID
	}
	first, second := wait(), wait()
	for _, c := range []apiCase{
		{op: "listWaitingClients", status: 200},
		{op: "verifyClientMaker", id: first, status: 200},
		{op: "approveClient", id: first, status: 200},
		{op: "refuseClient", id: second, status: 200},
	} {
		d.call(t, c)
	}
}

// logStories drives the audit log.
func (d *driver) logStories(t *testing.T) {
	t.Helper()
	var events struct{ Events []struct{ ID string } }
	for _, c := range []apiCase{
		{op: "readAudit", query: "patient=rosa&kind=launch.registered&kind=consent.filed", status: 200, keep: func(r *kit.Response) {
			if err := json.Unmarshal(r.Body, &events); err != nil || len(events.Events) == 0 {
				t.Fatal(r, err)
			}
		}},
		{op: "readAudit", query: "grant=none&person=none&client_id=demo-app&format=fhir&before=" + time.Now().UTC().Format(time.RFC3339Nano), status: 200},
		{op: "readAudit", query: "format=fhir&limit=5", status: 200},
	} {
		d.call(t, c)
	}
	id := events.Events[len(events.Events)-1].ID
	d.sealed(t, id)
	for _, c := range []apiCase{
		{op: "showAuditCheckpoint", status: 200},
		{op: "proveAuditConsistency", query: "old=1&new=2", status: 200},
		{op: "proveAuditEvent", id: id, status: 200},
	} {
		d.call(t, c)
	}
}

// sealed waits until an event stands in the tree.
func (d *driver) sealed(t *testing.T, id string) {
	t.Helper()
	deadline, tick := time.After(startDeadline), time.NewTicker(pollEvery)
	defer tick.Stop()
	for d.admin(t, "GET", "/audit/"+id+"/proof", "", nil).Status != http.StatusOK {
		select {
		case <-deadline:
			t.Fatal("the event was not sealed")
		case <-tick.C:
		}
	}
}

// refusals drives what is refused: each is told as the document says.
func (d *driver) refusals(t *testing.T) {
	t.Helper()
	for _, c := range []apiCase{
		{op: "listGrants", status: 400},
		{op: "listGrants", query: "pateint=rosa", status: 400},
		{op: "listGrants", query: "patient=rosa&patient=noah", status: 400},
		{op: "listGrants", query: "patient=", status: 400},
		{op: "listClientRequests", id: "demo-app", query: "count=none", status: 400},
		{op: "listClientRequests", id: "nobody", status: 404},
		{op: "readAudit", query: "before=yesterday", status: 400},
		{op: "registerClient", body: `{"client_name":"x","unknown":1}`, status: 400},
		{op: "inviteClient", body: `{"days":1}{"days":2}`, status: 400},
		{op: "fileConsent", id: "x", body: `{`, status: 400},
		{op: "fileConsent", id: "x", body: `{}`, header: map[string]string{"If-Match": "*"}, status: 400},
		{op: "showClient", id: "nobody", status: 404},
	} {
		d.call(t, c)
	}
	d.operator = "wrong"
	for _, methods := range d.doc.Paths {
		for _, op := range methods {
			if op.ID != "registerLaunch" {
				d.call(t, apiCase{op: op.ID, id: "x", status: 401})
			}
		}
	}
}
