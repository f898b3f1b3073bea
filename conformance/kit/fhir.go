package kit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ObservationCategory is the code system of Observation.category (FHIR R4).
const ObservationCategory = "http://terminology.hl7.org/CodeSystem/observation-category"

// FHIR reads a path below the FHIR base with an access token.
func (t *Target) FHIR(ctx context.Context, token, path string) (*Response, error) {
	return t.Do(ctx, Request{URL: t.FHIRBase + "/" + path, Bearer: token})
}

// Write sends a resource to a path below the FHIR base; nil sends no body.
func (t *Target) Write(ctx context.Context, token, method, path string, resource any, header http.Header) (*Response, error) {
	if resource == nil {
		return t.Do(ctx, Request{Method: method, URL: t.FHIRBase + "/" + path, Bearer: token, Header: header})
	}
	raw, err := json.Marshal(resource)
	if err != nil {
		return nil, err
	}
	media := "application/fhir+json"
	if method == http.MethodPatch {
		media = "application/json-patch+json"
	}
	return t.Do(ctx, Request{
		Method: method, URL: t.FHIRBase + "/" + path, Bearer: token, Header: header,
		Type: media, Body: strings.NewReader(string(raw)),
	})
}

// Behind reads a path of the FHIR server behind the target, without security.
func (t *Target) Behind(ctx context.Context, path string) (*Response, error) {
	return t.Do(ctx, Request{URL: t.Upstream + "/" + path})
}

// Entry is one resource of a Bundle.
type Entry struct {
	Type, ID string
	Resource map[string]any
	// Mode is search.mode: match, include or outcome.
	Mode string
	// Status is response.status of a batch answer.
	Status string
}

// Codes gives the codes of a member that is a CodeableConcept or a list of
// them, in their order.
func (e Entry) Codes(member string) []string {
	list, ok := e.Resource[member].([]any)
	if !ok {
		list = []any{e.Resource[member]}
	}
	var out []string
	for _, raw := range list {
		concept, _ := raw.(map[string]any)
		codings, _ := concept["coding"].([]any)
		for _, raw := range codings {
			coding, _ := raw.(map[string]any)
			if code, ok := coding["code"].(string); ok {
				out = append(out, code)
			}
		}
	}
	return out
}

// Entries gives the entries of a Bundle.
func (r *Response) Entries() []Entry {
	var bundle struct {
		Entry []struct {
			Resource map[string]any `json:"resource"`
			Search   struct {
				Mode string `json:"mode"`
			} `json:"search"`
			Response struct {
				Status string `json:"status"`
			} `json:"response"`
		} `json:"entry"`
	}
	if json.Unmarshal(r.Body, &bundle) != nil {
		return nil
	}
	var out []Entry
	for _, e := range bundle.Entry {
		x := Entry{Resource: e.Resource, Mode: e.Search.Mode, Status: e.Response.Status}
		x.Type, _ = e.Resource["resourceType"].(string)
		x.ID, _ = e.Resource["id"].(string)
		out = append(out, x)
	}
	return out
}

// Total gives Bundle.total, -1 when it is left out.
func (r *Response) Total() int {
	n, ok := r.JSON()["total"].(float64)
	if !ok {
		return -1
	}
	return int(n)
}

// Next gives the link to the next page, "" at the end.
func (r *Response) Next() string {
	links, _ := r.JSON()["link"].([]any)
	for _, raw := range links {
		link, _ := raw.(map[string]any)
		if link["relation"] == "next" {
			s, _ := link["url"].(string)
			return s
		}
	}
	return ""
}

// All follows the pages of a search and gives every entry. Errors: a page that
// is not answered with 200, or more than 200 pages.
func (t *Target) All(ctx context.Context, token, query string) ([]Entry, error) {
	var out []Entry
	next := t.FHIRBase + "/" + query
	for range 200 {
		res, err := t.Do(ctx, Request{URL: next, Bearer: token})
		if err != nil {
			return nil, err
		}
		if res.Status != http.StatusOK {
			return nil, fmt.Errorf("%s", res)
		}
		out = append(out, res.Entries()...)
		if next = res.Next(); next == "" {
			return out, nil
		}
	}
	return nil, fmt.Errorf("the search %s has more than 200 pages", query)
}

// First gives the id of the first resource that a query finds at the server
// behind. Errors: none.
func (t *Target) First(ctx context.Context, query string) (string, error) {
	res, err := t.Behind(ctx, query)
	if err != nil {
		return "", err
	}
	for _, e := range res.Entries() {
		if e.ID != "" {
			return e.ID, nil
		}
	}
	return "", fmt.Errorf("the record behind has no %s", query)
}

// Belongs reports whether a resource is about the patient: the Patient itself,
// or one whose subject, patient or beneficiary is. Resources of types about
// nobody belong to all.
func (e Entry) Belongs(patient string) bool {
	if e.Type == "Patient" {
		return e.ID == patient
	}
	for _, member := range []string{"subject", "patient", "beneficiary", "for"} {
		ref, ok := e.Resource[member].(map[string]any)
		if !ok {
			continue
		}
		text, _ := ref["reference"].(string)
		return text == "Patient/"+patient
	}
	return true
}

// Escape percent-encodes a query value.
func Escape(s string) string { return url.QueryEscape(s) }
