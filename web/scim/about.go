package scim

import (
	"net/http"

	"github.com/mandate-health/mandate/identity/directory"
	"github.com/mandate-health/mandate/internal/errs"
)

const (
	schemaURN = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	typeURN   = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	configURN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
)

// configuration says what is offered (RFC 7643 §5).
func configuration(d Deps, c directory.Caller, _ *http.Request, _ map[string]any) (answer, error) {
	type offer struct {
		Supported bool `json:"supported"`
	}
	body := map[string]any{
		"schemas": []string{configURN}, "documentationUri": d.Docs,
		"patch": offer{true}, "changePassword": offer{}, "sort": offer{}, "etag": offer{true},
		"bulk":   map[string]any{"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
		"filter": map[string]any{"supported": true, "maxResults": directory.MaxCount},
		"authenticationSchemes": []map[string]any{{
			"type": "oauthbearertoken", "name": "OAuth bearer token", "primary": true, "specUri": "https://www.rfc-editor.org/info/rfc6750",
			"description": "An access token that a backend service got for itself with the scope " + d.Scope + ".",
		}},
		"meta": map[string]string{"resourceType": "ServiceProviderConfig", "location": c.Base + "/ServiceProviderConfig"},
	}
	return answer{status: http.StatusOK, body: body}, nil
}

// kind is a ResourceType (RFC 7643 §6).
type kind struct {
	Schemas     []string          `json:"schemas"`
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Endpoint    string            `json:"endpoint"`
	Description string            `json:"description"`
	Schema      string            `json:"schema"`
	Extensions  []extension       `json:"schemaExtensions,omitempty"`
	Meta        map[string]string `json:"meta"`
}

type extension struct {
	Schema   string `json:"schema"`
	Required bool   `json:"required"`
}

func kinds(base string) []kind {
	describe := func(s *directory.Schema, endpoint string, more ...extension) kind {
		return kind{
			[]string{typeURN}, s.Name, s.Name, endpoint, s.Description, s.ID, more,
			map[string]string{"resourceType": "ResourceType", "location": base + "/ResourceTypes/" + s.Name},
		}
	}
	return []kind{describe(directory.Users(), "/Users", extension{Schema: directory.StaffURN}), describe(directory.Groups(), "/Groups")}
}

// unfiltered refuses to search what the server says about itself (RFC 7644 §4).
func unfiltered(r *http.Request) error {
	if r.URL.Query().Has("filter") {
		return errs.New(errs.Forbidden, "scim-no-filter", "What the server says about itself is not searched.")
	}
	return nil
}

func resourceTypes(_ Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	if err := unfiltered(r); err != nil {
		return answer{}, err
	}
	var all []any
	for _, k := range kinds(c.Base) {
		all = append(all, k)
	}
	return listed(len(all), 1, all), nil
}

func resourceType(_ Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	for _, k := range kinds(c.Base) {
		if k.ID == id(r) {
			return answer{status: http.StatusOK, body: k}, nil
		}
	}
	return answer{}, errNone()
}

func errNone() error {
	return errs.New(errs.NotFound, "scim-not-found", "There is nothing of that name.")
}

// described is a Schema (RFC 7643 §7).
type described struct {
	Schemas     []string              `json:"schemas"`
	ID          string                `json:"id"`
	Name        string                `json:"name"`
	Description string                `json:"description"`
	Attributes  []directory.Attribute `json:"attributes"`
	Meta        map[string]string     `json:"meta"`
}

func descriptions(base string) (out []described) {
	for _, s := range []*directory.Schema{directory.Users(), directory.Groups(), directory.Extension()} {
		out = append(out, described{
			[]string{schemaURN}, s.ID, s.Name, s.Description, s.Own(),
			map[string]string{"resourceType": "Schema", "location": base + "/Schemas/" + s.ID},
		})
	}
	return out
}

func schemas(_ Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	if err := unfiltered(r); err != nil {
		return answer{}, err
	}
	var all []any
	for _, s := range descriptions(c.Base) {
		all = append(all, s)
	}
	return listed(len(all), 1, all), nil
}

func schema(_ Deps, c directory.Caller, r *http.Request, _ map[string]any) (answer, error) {
	for _, s := range descriptions(c.Base) {
		if s.ID == id(r) {
			return answer{status: http.StatusOK, body: s}, nil
		}
	}
	return answer{}, errNone()
}
