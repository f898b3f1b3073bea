package sandbox

import (
	"encoding/json"
	"time"
)

// capabilityStatement renders what the server supports, type by type, from
// the same tables that it works from (FHIR R4 capabilitystatement.html).
func capabilityStatement(base string, cat *catalogue, now time.Time) []byte {
	type m = map[string]any
	codes := func(names ...string) []m {
		var out []m
		for _, n := range names {
			out = append(out, m{"code": n})
		}
		return out
	}
	refersTo := make(map[string][]string) // type → revincludes
	var resources []m
	for _, name := range cat.names {
		for _, p := range cat.types[name].params {
			if p.kind != kindReference {
				continue
			}
			targets := p.types
			if targets == nil {
				targets = cat.names
			}
			for _, target := range targets {
				refersTo[target] = append(refersTo[target], name+":"+p.name)
			}
		}
	}
	for _, name := range cat.names {
		t := cat.types[name]
		r := m{
			"type": name,
			"interaction": codes("read", "vread", "update", "patch", "delete",
				"history-instance", "history-type", "create", "search-type"),
			"versioning": "versioned-update", "readHistory": true, "updateCreate": true,
			"conditionalCreate": true, "conditionalRead": "full-support",
			"conditionalUpdate": true, "conditionalDelete": "single",
			"referencePolicy":  []string{"literal", "logical", "local"},
			"searchParam":      searchParams(t),
			"searchInclude":    t.includes(),
			"searchRevInclude": append([]string{"*"}, refersTo[name]...),
		}
		if ops := operations(name); ops != nil {
			r["operation"] = ops
		}
		resources = append(resources, r)
	}
	out, err := json.Marshal(m{
		"resourceType": "CapabilityStatement", "id": "sandbox", "status": "active",
		"date": now.UTC().Format(instantFormat), "kind": "instance",
		"software":       m{"name": "Mandate sandbox FHIR server"},
		"implementation": m{"description": "Development FHIR server with synthetic data", "url": base},
		"fhirVersion":    "4.0.1",
		"format":         []string{"json", mediaJSON},
		"patchFormat":    []string{mediaPatch},
		"rest": []m{{
			"mode":          "server",
			"documentation": "No security: this server is reached through a gateway.",
			"resource":      resources,
			"interaction":   codes("transaction", "batch", "history-system"),
			"operation":     []m{operation("export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export")},
			"compartment":   []string{"http://hl7.org/fhir/CompartmentDefinition/patient"},
		}},
	})
	if err != nil {
		// Only plain maps, strings and booleans are marshalled here.
		return outcome("error", "exception", err.Error())
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
