package smart

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mandate-health/mandate/conformance/kit"
)

func appState() []kit.Row {
	return []kit.Row{
		{ID: "SMART APS-01", Title: "app state is created, changed, found by code and subject, and deleted", Also: []string{"CAP-18", "APS-06"}, Needs: kit.Login, Run: stateLife},
		{ID: "SMART APS-02", Title: "what is no app state is refused", Needs: kit.Login, Run: stateShape},
		{ID: "SMART APS-04", Title: "a change needs the present version and the same code and subject", Needs: kit.Login, Run: stateVersions},
		{ID: "SMART APS-07", Title: "a scope with a code reaches that code alone, and s gives the whole content", Needs: kit.Login, Run: stateScopes},
		{ID: "SMART APS-08", Title: "an app reaches only the codes that are registered for it", Needs: kit.Login | kit.Symmetric, Run: stateCodes},
	}
}

// stateBase gives where app state is.
func stateBase(ctx context.Context, t *kit.Target) (string, error) {
	res, err := t.Do(ctx, kit.Request{URL: configurationURL(t)})
	if err != nil {
		return "", err
	}
	var d struct {
		Associated []struct {
			URL          string   `json:"url"`
			Capabilities []string `json:"capabilities"`
		} `json:"associated_endpoints"`
	}
	if err := json.Unmarshal(res.Body, &d); err != nil {
		return "", fmt.Errorf("associated_endpoints has another form: %w", err)
	}
	var c kit.Check
	for _, e := range d.Associated {
		u, err := url.Parse(e.URL)
		c.That(err == nil && u.Host != "" && len(e.Capabilities) > 0, "an associated endpoint lacks an absolute url or capabilities")
	}
	if err := c.Err(); err != nil {
		return "", err
	}
	for _, e := range d.Associated {
		if slices.Contains(e.Capabilities, "smart-app-state") {
			return e.URL, nil
		}
	}
	if t.Config.Claims("smart-app-state") {
		return t.FHIRBase, nil
	}
	return "", kit.Unmet{Why: "the server offers no app state"}
}

// stateClient gives a client of a kind that has state codes.
func stateClient(t *kit.Target, kind string) (kit.Client, error) {
	for _, c := range t.Clients {
		if c.Kind == kind && len(c.AppStateCodes) > 0 {
			return c, nil
		}
	}
	return kit.Client{}, kit.Unmet{Why: "no client has state codes"}
}

// states is one token at the app-state endpoint.
type states struct {
	t                    *kit.Target
	base, token, patient string
	code                 string
}

func openStates(ctx context.Context, t *kit.Target, kind, scope string) (*states, error) {
	base, err := stateBase(ctx, t)
	if err != nil {
		return nil, err
	}
	client, err := stateClient(t, kind)
	if err != nil {
		return nil, err
	}
	code := client.AppStateCodes[0]
	g, err := t.Launch(ctx, kit.Launch{Client: client, Scope: strings.ReplaceAll(scope, "CODE", code), Visit: kit.Visit{Person: t.Patient(), Consent: tickEverything}})
	if err != nil {
		return nil, err
	}
	return &states{t, base, g.Access(), g.Patient(), code}, nil
}

func (s *states) body(change func(map[string]any)) []byte {
	system, code, _ := strings.Cut(s.code, "|")
	v := map[string]any{
		"resourceType": "Basic", "subject": map[string]any{"reference": s.t.FHIRBase + "/Patient/" + s.patient},
		"code":      map[string]any{"coding": []any{map[string]any{"system": system, "code": code}}},
		"extension": []any{map[string]any{"url": "https://heart-diary.example/v1", "valueString": `{"screen":"calm"}`}},
	}
	if change != nil {
		change(v)
	}
	raw, _ := json.Marshal(v)
	return raw
}

func (s *states) do(ctx context.Context, method, path, ifMatch string, body []byte) (*kit.Response, error) {
	r := kit.Request{Method: method, URL: s.base + "/Basic" + path, Bearer: s.token, Header: http.Header{}}
	if body != nil {
		r.Body, r.Type = strings.NewReader(string(body)), "application/fhir+json"
	}
	if ifMatch != "" {
		r.Header.Set("If-Match", ifMatch)
	}
	return s.t.Do(ctx, r)
}

func (s *states) find(ctx context.Context, code string) (*kit.Response, error) {
	q := url.Values{"code": {code}, "subject": {s.t.FHIRBase + "/Patient/" + s.patient}}
	return s.do(ctx, http.MethodGet, "?"+q.Encode(), "", nil)
}

// made creates a state and gives its id.
func (s *states) made(ctx context.Context) (id string, res *kit.Response, err error) {
	res, err = s.do(ctx, http.MethodPost, "", "", s.body(nil))
	if err == nil && res.Status != http.StatusCreated {
		err = fmt.Errorf("%s", res)
	}
	if err != nil {
		return "", res, err
	}
	return res.Text("id"), res, nil
}

const (
	stateAll  = "launch/patient patient/Basic.cuds"
	stateCode = "launch/patient patient/Basic.cuds?code=CODE"
)

func stateLife(ctx context.Context, t *kit.Target) error {
	s, err := openStates(ctx, t, "public", stateAll)
	if err != nil {
		return err
	}
	id, res, err := s.made(ctx)
	if err != nil {
		return err
	}
	var c kit.Check
	tag := res.Header.Get("ETag")
	c.That(id != "" && tag != "" && strings.HasSuffix(res.Header.Get("Location"), "/Basic/"+id), "%s: id, ETag or Location is missing", res)
	contains := func(text string, want bool) {
		found, err := s.find(ctx, s.code)
		if c.Note(err) {
			c.That(found.Status == http.StatusOK && strings.Contains(string(found.Body), id) == want && strings.Contains(string(found.Body), text) == want,
				"%s: found %t, want %t", found, !want, want)
		}
	}
	contains("calm", true)
	res, err = s.do(ctx, http.MethodPut, "/"+id, tag, s.body(func(v map[string]any) {
		v["id"] = id
		v["extension"] = []any{map[string]any{"url": "https://heart-diary.example/v1", "valueString": "second " + id}}
	}))
	if c.Note(err) {
		c.That(res.Status == http.StatusOK && res.Header.Get("ETag") != tag, "%s: not updated", res)
		tag = res.Header.Get("ETag")
	}
	contains("second "+id, true)
	res, err = s.do(ctx, http.MethodDelete, "/"+id, tag, nil)
	if c.Note(err) {
		c.That(res.Status == http.StatusNoContent || res.Status == http.StatusOK, "%s: not deleted", res)
	}
	contains("second "+id, false)
	return c.Err()
}

func stateShape(ctx context.Context, t *kit.Target) error {
	s, err := openStates(ctx, t, "public", stateAll)
	if err != nil {
		return err
	}
	var c kit.Check
	for what, change := range map[string]func(map[string]any){
		"an id":              func(v map[string]any) { v["id"] = "mine" },
		"a version":          func(v map[string]any) { v["meta"] = map[string]any{"versionId": "1"} },
		"a relative subject": func(v map[string]any) { v["subject"] = map[string]any{"reference": "Patient/" + s.patient} },
		"a subject elsewhere": func(v map[string]any) {
			v["subject"] = map[string]any{"reference": "https://elsewhere.example/Patient/1"}
		},
		"a group as subject": func(v map[string]any) { v["subject"] = map[string]any{"reference": t.FHIRBase + "/Group/1"} },
		"two codes":          func(v map[string]any) { two(v) },
		"no code":            func(v map[string]any) { v["code"] = map[string]any{"text": "x"} },
		"another extension type": func(v map[string]any) {
			v["extension"] = []any{map[string]any{"url": "https://x.example", "valueInteger": 1}}
		},
		"another resource": func(v map[string]any) { v["resourceType"] = "Observation" },
		"more than 256 KB": func(v map[string]any) {
			v["extension"] = []any{map[string]any{"url": "https://x.example", "valueString": strings.Repeat("x", 257<<10)}}
		},
	} {
		res, err := s.do(ctx, http.MethodPost, "", "", s.body(change))
		if c.Note(err) {
			c.That(res.Status >= 400 && res.Status < 500 && res.Status != http.StatusForbidden, "%s: %s", what, res)
		}
	}
	return c.Err()
}

func two(v map[string]any) {
	code, _ := v["code"].(map[string]any)
	list, _ := code["coding"].([]any)
	code["coding"] = append(list, list[0])
}

func stateVersions(ctx context.Context, t *kit.Target) error {
	s, err := openStates(ctx, t, "public", stateAll)
	if err != nil {
		return err
	}
	id, res, err := s.made(ctx)
	if err != nil {
		return err
	}
	tag := res.Header.Get("ETag")
	same := func(change func(map[string]any)) []byte {
		return s.body(func(v map[string]any) {
			v["id"] = id
			if change != nil {
				change(v)
			}
		})
	}
	var c kit.Check
	refused := func(what, method, ifMatch string, body []byte) {
		res, err := s.do(ctx, method, "/"+id, ifMatch, body)
		if c.Note(err) {
			c.That(res.Status == http.StatusPreconditionFailed, "%s: %s", what, res)
		}
	}
	refused("a version of the future", http.MethodPut, `W/"99"`, same(nil))
	refused("no version", http.MethodPut, "", same(nil))
	refused("no version of what is deleted", http.MethodDelete, "", nil)
	refused("another code", http.MethodPut, tag, same(func(v map[string]any) {
		v["code"] = map[string]any{"coding": []any{map[string]any{"system": "https://x.example", "code": "x"}}}
	}))
	refused("no subject any more", http.MethodPut, tag, same(func(v map[string]any) { delete(v, "subject") }))
	res, err = s.do(ctx, http.MethodDelete, "/"+id, tag, nil)
	if c.Note(err) {
		c.That(res.Status < 300, "%s: not deleted", res)
	}
	refused("deleted already", http.MethodDelete, tag, nil)
	refused("changed after it was deleted", http.MethodPut, tag, same(nil))
	return c.Err()
}

func stateScopes(ctx context.Context, t *kit.Target) error {
	s, err := openStates(ctx, t, "public", stateCode)
	if err != nil {
		return err
	}
	client, err := stateClient(t, "public")
	if err != nil {
		return err
	}
	if len(client.AppStateCodes) < 2 {
		return kit.Unmet{Why: "the client has one state code only"}
	}
	id, res, err := s.made(ctx)
	if err != nil {
		return err
	}
	var c kit.Check
	other := client.AppStateCodes[1]
	foreign := *s
	foreign.code = other
	created, err := foreign.do(ctx, http.MethodPost, "", "", foreign.body(nil))
	if c.Note(err) {
		c.That(created.Status == http.StatusForbidden, "another code by the scope of one: %s", created)
	}
	searched, err := s.find(ctx, other)
	if c.Note(err) {
		c.That(searched.Status == http.StatusForbidden, "a search for another code: %s", searched)
	}
	reader, err := openStates(ctx, t, "public", "launch/patient patient/Basic.s?code=CODE")
	if c.Note(err) {
		found, err := reader.find(ctx, s.code)
		if c.Note(err) {
			c.That(found.Status == http.StatusOK && strings.Contains(string(found.Body), "calm"), "%s: s alone does not give the content", found)
		}
		made, err := reader.do(ctx, http.MethodPost, "", "", reader.body(nil))
		if c.Note(err) {
			c.That(made.Status == http.StatusForbidden, "s alone creates: %s", made)
		}
	}
	_, err = s.do(ctx, http.MethodDelete, "/"+id, res.Header.Get("ETag"), nil)
	c.Note(err)
	return c.Err()
}

func stateCodes(ctx context.Context, t *kit.Target) error {
	a, err := openStates(ctx, t, "public", stateAll)
	if err != nil {
		return err
	}
	b, err := openStates(ctx, t, "symmetric", stateAll)
	if err != nil {
		return err
	}
	own, err := stateClient(t, "public")
	if err != nil {
		return err
	}
	companion, err := stateClient(t, "symmetric")
	if err != nil {
		return err
	}
	id, res, err := a.made(ctx)
	if err != nil {
		return err
	}
	var c kit.Check
	for _, code := range own.AppStateCodes {
		want := http.StatusForbidden
		if slices.Contains(companion.AppStateReadCodes, code) {
			want = http.StatusOK
		}
		found, err := b.find(ctx, code)
		if c.Note(err) {
			c.That(found.Status == want, "another app asks for %s: %s", code, found)
		}
	}
	deleted, err := b.do(ctx, http.MethodDelete, "/"+id, res.Header.Get("ETag"), nil)
	if c.Note(err) {
		c.That(deleted.Status >= 400 && deleted.Status < 500, "another app deletes: %s", deleted)
	}
	_, err = a.do(ctx, http.MethodDelete, "/"+id, res.Header.Get("ETag"), nil)
	c.Note(err)
	return c.Err()
}
