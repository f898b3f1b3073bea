package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mandate-health/mandate/access"
	"github.com/mandate-health/mandate/audit/fhirevent"
	"github.com/mandate-health/mandate/fhir/rest"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/web/fhirapi"
)

// capabilityLife is how long a merged CapabilityStatement is served before
// the upstream is asked again.
const capabilityLife = 5 * time.Minute

// capability keeps the last merged statement; it holds no health data.
type capability struct {
	mu    sync.Mutex
	body  []byte
	until time.Time
}

// metadata serves the CapabilityStatement to anybody (SMART M-21, CST-01).
func (g *Gateway) metadata(w http.ResponseWriter, r *http.Request) {
	_, err := rest.Parse(rest.Incoming{Method: r.Method, Path: "/metadata", RawQuery: r.URL.RawQuery, Header: r.Header})
	if err != nil {
		g.d.Problems.FHIR(w, r, err)
		return
	}
	body, err := g.statement(r.Context())
	if err != nil {
		g.d.Problems.FHIR(w, r, err)
		return
	}
	answer{status: http.StatusOK, body: body}.write(w, r)
}

// statement gives the merged statement, the last one while the upstream is
// down, or one that only says what Mandate itself serves.
func (g *Gateway) statement(ctx context.Context) ([]byte, error) {
	c := &g.capability
	c.mu.Lock()
	defer c.mu.Unlock()
	now := g.d.Clock.Now()
	if c.body != nil && now.Before(c.until) {
		return c.body, nil
	}
	theirs := g.theirCapability(ctx)
	if theirs == nil && c.body != nil {
		return c.body, nil
	}
	body, err := g.merge(theirs, now)
	if err != nil {
		return nil, err
	}
	if theirs != nil {
		c.body, c.until = body, now.Add(capabilityLife)
	}
	return body, nil
}

// theirCapability gives what the upstream says about its types, nil when it
// does not answer.
func (g *Gateway) theirCapability(ctx context.Context) *statement {
	res, err := g.d.Upstream.Do(ctx, http.MethodGet, "/metadata", nil, nil)
	if err != nil || res.Status != http.StatusOK {
		g.d.Log.WarnContext(ctx, "upstream capability statement not available", "status", res.Status)
		return nil
	}
	var s statement
	if json.Unmarshal(res.Body, &s) != nil || len(s.Rest) == 0 {
		return nil
	}
	return &s
}

// object is a part of a statement that is passed on as it came.
type object = map[string]any

// statement is what is read of a CapabilityStatement.
type statement struct {
	Rest []struct {
		Mode     string     `json:"mode"`
		Resource []resource `json:"resource"`
	} `json:"rest"`
}

type resource struct {
	Type              string   `json:"type"`
	Profile           string   `json:"profile,omitempty"`
	SupportedProfile  []string `json:"supportedProfile,omitempty"`
	Interaction       []coded  `json:"interaction,omitempty"`
	Versioning        string   `json:"versioning,omitempty"`
	ConditionalCreate bool     `json:"conditionalCreate,omitempty"`
	ConditionalUpdate bool     `json:"conditionalUpdate,omitempty"`
	ConditionalDelete string   `json:"conditionalDelete,omitempty"`
	ReferencePolicy   []string `json:"referencePolicy,omitempty"`
	SearchInclude     []string `json:"searchInclude,omitempty"`
	SearchRevInclude  []string `json:"searchRevInclude,omitempty"`
	SearchParam       []object `json:"searchParam,omitempty"`
	Operation         []object `json:"operation,omitempty"`
}

type coded struct {
	Code string `json:"code"`
}

// forwarded are the interactions on a type that the gateway passes on.
var forwarded = map[string]bool{
	"read": true, "vread": true, "history-instance": true, "search-type": true,
	"create": true, "update": true, "patch": true, "delete": true,
}

// merge writes one statement: the upstream's types without those that apps
// never reach, and ours.
func (g *Gateway) merge(theirs *statement, now time.Time) ([]byte, error) {
	var types []resource
	if theirs != nil {
		for _, r := range theirs.Rest[0].Resource {
			if !fhirapi.Owns(r.Type) && !access.NeverForApps(r.Type) {
				types = append(types, g.filtered(r))
			}
		}
	}
	types = append(types, ownConsent(), ownRelatedPerson(), ownAuditEvent())
	types = append(types, g.defined(types)...)
	out, err := json.Marshal(object{
		"resourceType": "CapabilityStatement", "id": "mandate", "status": "active", "kind": "instance",
		"date": now.UTC().Format(time.RFC3339), "publisher": "Mandate",
		"software":       object{"name": "Mandate"},
		"implementation": object{"description": "FHIR server behind SMART authorization", "url": g.d.Base},
		"fhirVersion":    "4.0.1", "format": []string{"json", mediaFHIR}, "patchFormat": []string{"application/json-patch+json"},
		"instantiates": []string{
			"http://hl7.org/fhir/us/core/CapabilityStatement/us-core-server",
			"http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data",
		},
		"rest": []object{{
			"mode": "server", "resource": types,
			"interaction": []coded{{"batch"}, {"transaction"}},
			"operation":   []object{{"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"}},
			"compartment": []string{"http://hl7.org/fhir/CompartmentDefinition/patient"},
			"security":    g.security(),
		}},
	})
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "capability-statement", "The statement could not be written.")
	}
	return out, nil
}

// registry is where SMART 1 kept its extensions.
const registry = "http://fhir-registry.smarthealthit.org/StructureDefinition/"

// security says how to get access. SMART 1 clients, and the (g)(10) tests of
// SMART 1, read the deprecated extensions (SMART CST-01, CST-02).
func (g *Gateway) security() object {
	var uris []object
	for _, e := range []struct{ name, address string }{
		{"authorize", g.d.OAuth.Authorize}, {"token", g.d.OAuth.Token}, {"introspect", g.d.OAuth.Introspect},
		{"revoke", g.d.OAuth.Revoke}, {"manage", g.d.OAuth.Manage},
	} {
		if e.address != "" {
			uris = append(uris, object{"url": e.name, "valueUri": e.address})
		}
	}
	out := object{"cors": true, "service": []object{{"coding": []object{{
		"system": "http://terminology.hl7.org/CodeSystem/restful-security-service", "code": "SMART-on-FHIR", "display": "SMART-on-FHIR",
	}}, "text": "OAuth2 using SMART-on-FHIR profile (see http://docs.smarthealthit.org)"}}}
	if uris == nil {
		return out
	}
	extensions := []object{{"url": registry + "oauth-uris", "extension": uris}}
	for _, c := range g.d.OAuth.Capabilities {
		extensions = append(extensions, object{"url": registry + "capabilities", "valueCode": c})
	}
	out["extension"] = extensions
	return out
}

// filtered leaves what the gateway passes on of a type.
func (g *Gateway) filtered(r resource) resource {
	var kept []coded
	for _, i := range r.Interaction {
		if forwarded[i.Code] {
			kept = append(kept, i)
		}
	}
	r.Interaction = kept
	var operations []object
	for _, o := range r.Operation {
		if o["name"] == "everything" || o["name"] == "export" {
			operations = append(operations, o)
		}
	}
	r.Operation = operations
	r.SearchParam = slices.DeleteFunc(r.SearchParam, func(p object) bool {
		name, _ := p["name"].(string)
		return !g.searchable(r.Type, name)
	})
	r.SearchRevInclude = slices.DeleteFunc(r.SearchRevInclude, func(v string) bool {
		typ, _, _ := strings.Cut(v, ":")
		return access.NeverForApps(typ) || fhirapi.Owns(typ)
	})
	return r
}

func ownConsent() resource {
	return resource{
		Type: "Consent", Versioning: "versioned-update", ReferencePolicy: []string{"literal"},
		Interaction: []coded{{"read"}, {"vread"}, {"history-instance"}, {"search-type"}, {"create"}, {"update"}},
		SearchParam: params("_id", "token", "patient", "reference", "actor", "reference", "status", "token", "category", "token", "period", "date", "identifier", "token"),
		Operation: []object{
			{"name": "fileConsent", "definition": "http://hl7.org/fhir/us/consent-management/OperationDefinition/file-consent"},
			{"name": "revokeConsent", "definition": "http://hl7.org/fhir/us/consent-management/OperationDefinition/revoke-consent"},
		},
	}
}

func ownRelatedPerson() resource {
	return resource{
		Type: "RelatedPerson", Versioning: "versioned", ReferencePolicy: []string{"literal"},
		SupportedProfile: []string{"http://hl7.org/fhir/us/core/StructureDefinition/us-core-relatedperson"},
		Interaction:      []coded{{"read"}, {"vread"}, {"history-instance"}, {"search-type"}},
		SearchParam:      params("_id", "token", "patient", "reference", "active", "token", "relationship", "token", "identifier", "token", "name", "string"),
	}
}

func ownAuditEvent() resource {
	return resource{
		Type: access.LogType, Versioning: "no-version", ReferencePolicy: []string{"literal"},
		SupportedProfile: []string{fhirevent.ProfileEvent, fhirevent.ProfileDecision},
		Interaction:      []coded{{"read"}, {"search-type"}},
		SearchParam: params("_id", "token", "patient", "reference", "date", "date", "_lastUpdated", "date", "agent", "reference",
			"entity", "reference", "type", "token", "subtype", "token", "action", "token", "outcome", "token"),
	}
}

// params pairs names and types of search parameters.
func params(pairs ...string) []object {
	var out []object
	for i := 0; i+1 < len(pairs); i += 2 {
		out = append(out, object{"name": pairs[i], "type": pairs[i+1]})
	}
	return out
}
