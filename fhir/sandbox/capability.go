package sandbox

import (
	"encoding/json"
	"time"
)

// capabilityStatement renders what the server supports, type by type, from
// the same tables that it works from (FHIR R4 capabilitystatement.html).
func capabilityStatement(base string, cat *catalogue, now time.Time) []byte {
	revincludes := cat.revincludes()
	resources := make([]map[string]any, 0, len(cat.names))
	for _, name := range cat.names {
		resources = append(resources, capabilityOf(cat.types[name], revincludes[name]))
	}
	out, err := json.Marshal(map[string]any{
		"resourceType": "CapabilityStatement", "id": "sandbox", "status": "active",
		"date": now.UTC().Format(instantFormat), "kind": "instance",
		"software":       map[string]any{"name": "Mandate sandbox FHIR server"},
		"implementation": map[string]any{"description": "Development FHIR server with synthetic data", "url": base},
		"fhirVersion":    "4.0.1",
		"format":         []string{"json", mediaJSON},
		"patchFormat":    []string{mediaPatch},
		"rest": []map[string]any{{
			"mode":          "server",
			"documentation": "No security: this server is reached through a gateway.",
			"resource":      resources,
			"interaction":   codes("transaction", "batch", "history-system"),
			"operation":     []map[string]any{operation("export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export")},
			"compartment":   []string{"http://hl7.org/fhir/CompartmentDefinition/patient"},
		}},
	})
	if err != nil {
		// Only plain maps, strings and booleans are marshalled here.
		return outcome("error", "exception", err.Error())
	}
	return out
}

// capabilityOf renders what is supported for one type.
func capabilityOf(t *resourceType, revincludes []string) map[string]any {
	out := map[string]any{
		"type": t.name,
		"interaction": codes("read", "vread", "update", "patch", "delete",
			"history-instance", "history-type", "create", "search-type"),
		"versioning": "versioned-update", "readHistory": true, "updateCreate": true,
		"conditionalCreate": true, "conditionalRead": "full-support",
		"conditionalUpdate": true, "conditionalDelete": "single",
		"referencePolicy":  []string{"literal", "logical", "local"},
		"searchParam":      searchParams(t),
		"searchInclude":    t.includes(),
		"searchRevInclude": append([]string{"*"}, revincludes...),
	}
	if listed := supportedProfiles(t.name); listed != nil {
		out["supportedProfile"] = listed
	}
	if ops := operations(t.name); ops != nil {
		out["operation"] = ops
	}
	return out
}

// revincludes lists, for each type, the references that can lead to it.
func (c *catalogue) revincludes() map[string][]string {
	out := make(map[string][]string)
	for _, name := range c.names {
		for _, p := range c.types[name].params {
			if p.kind != kindReference {
				continue
			}
			targets := p.types
			if targets == nil {
				targets = c.names
			}
			for _, target := range targets {
				out[target] = append(out[target], name+":"+p.name)
			}
		}
	}
	return out
}

func codes(names ...string) []map[string]any {
	out := make([]map[string]any, 0, len(names))
	for _, n := range names {
		out = append(out, map[string]any{"code": n})
	}
	return out
}

func operation(name, definition string) map[string]any {
	return map[string]any{"name": name, "definition": definition}
}

func operations(typ string) []map[string]any {
	switch typ {
	case "Patient":
		return []map[string]any{
			operation("everything", "http://hl7.org/fhir/OperationDefinition/Patient-everything"),
			operation("export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export"),
		}
	case "Group":
		return []map[string]any{operation("export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export")}
	}
	return nil
}

func searchParams(t *resourceType) []map[string]string {
	out := make([]map[string]string, 0, len(t.params))
	for _, p := range t.params {
		out = append(out, map[string]string{"name": p.name, "type": string(p.kind)})
	}
	return out
}

// includes lists the values that _include takes for a type.
func (t *resourceType) includes() []string {
	out := []string{"*"}
	for _, p := range t.params {
		if p.kind == kindReference {
			out = append(out, t.name+":"+p.name)
		}
	}
	return out
}
