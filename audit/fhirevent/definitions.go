package fhirevent

import (
	"encoding/json"
	"strings"

	"github.com/mandate-health/mandate/fhir"
)

// Mandate's own profiles of AuditEvent, for what BALP cannot express (TR-17,
// TR-18): every event claims the first; decisions claim the second where they
// may not claim AuthZconsent.
const (
	ProfileEvent    = fhir.Canonical + "/StructureDefinition/mandate-audit-event"
	ProfileDecision = fhir.Canonical + "/StructureDefinition/mandate-authz-decision"
	// ExtensionGrant and ExtensionRequest hold what the closed entities of
	// AuthZconsent have no room for.
	ExtensionGrant   = fhir.Canonical + "/StructureDefinition/audit-grant"
	ExtensionRequest = fhir.Canonical + "/StructureDefinition/audit-request"
)

// Definition is a conformance resource that events refer to.
type Definition struct {
	// Type is StructureDefinition or CodeSystem; ID is the end of URL.
	Type, ID, URL string
	JSON          []byte
}

// Definitions gives all of them: the own profiles, their extensions and code
// systems.
func Definitions() ([]Definition, error) {
	var out []Definition
	for _, d := range []object{eventProfile(), decisionProfile(),
		extensionOf(ExtensionGrant, "AuditGrant", "The connection (grant) by which the access took place."),
		extensionOf(ExtensionRequest, "AuditRequest", "The request (X-Request-Id) in which it took place."),
		codeSystem(SystemSubtype, "AuditSubtype", "Subtypes of events that no standard names", subtypes()),
		codeSystem(SystemEntity, "AuditEntity", "Types of entities that no standard names", map[string]string{
			"grant": "Connection of an app to a record", "facts": "Further identifiers of the event by name"}),
	} {
		url, typ := text(d["url"]), text(d["resourceType"])
		d["id"] = url[strings.LastIndexByte(url, '/')+1:]
		raw, err := json.Marshal(d)
		if err != nil {
			return nil, err
		}
		out = append(out, Definition{Type: typ, ID: text(d["id"]), URL: url, JSON: raw})
	}
	return out, nil
}

// object is a resource in the making.
type object = map[string]any

func text(v any) string {
	s, _ := v.(string)
	return s
}

// common is what all definitions have.
func common(typ, url, name, title string) object {
	return object{"resourceType": typ, "url": url, "version": "1.0.0", "name": name, "title": title, "status": "active",
		"experimental": false, "date": "2026-11-22", "publisher": "Mandate"}
}

func codeSystem(url, name, title string, codes map[string]string) object {
	out := common("CodeSystem", url, name, title)
	var concepts []object
	for _, code := range sortedKeys(codes) {
		concepts = append(concepts, object{"code": code, "display": codes[code]})
	}
	out["caseSensitive"], out["content"], out["count"], out["concept"] = true, "complete", len(concepts), concepts
	return out
}

func structure(url, name, title, typ, base string, elements ...object) object {
	out := common("StructureDefinition", url, name, title)
	out["fhirVersion"], out["abstract"], out["derivation"], out["type"] = "4.0.1", false, "constraint", typ
	out["kind"], out["baseDefinition"] = "resource", base
	out["differential"] = object{"element": elements}
	return out
}

func extensionOf(url, name, title string) object {
	out := structure(url, name, title, "Extension", "http://hl7.org/fhir/StructureDefinition/Extension",
		at("Extension"), fixed(at("Extension.url"), "fixedUri", url), some(at("Extension.value[x]"), 1, "1", "type", []object{{"code": "string"}}))
	out["kind"] = "complex-type"
	out["context"] = []object{{"type": "element", "expression": "AuditEvent"}}
	return out
}

// at gives the element of an id; its path is the id without names of slices.
func at(id string) object {
	parts := strings.Split(id, ".")
	e := object{"id": id}
	for i, p := range parts {
		name, slice, sliced := strings.Cut(p, ":")
		if parts[i] = name; sliced && i == len(parts)-1 {
			e["sliceName"] = slice
		}
	}
	e["path"] = strings.Join(parts, ".")
	return e
}

// some sets how often an element stands, and one more property.
func some(e object, least int, most string, more ...any) object {
	e["min"], e["max"] = least, most
	if len(more) == 2 {
		e[text(more[0])] = more[1]
	}
	return e
}

func fixed(e object, kind string, value any) object {
	e[kind] = value
	return e
}

// sliced says by what the values of an element are told apart.
func sliced(id, by string) object {
	e := at(id)
	kind := "pattern"
	if by == "url" {
		kind = "value"
	}
	e["slicing"] = object{"discriminator": []object{{"type": kind, "path": by}}, "rules": "open"}
	return e
}

// entityOf is a slice of entities with its type.
func entityOf(name, most, system, code string) []object {
	id := "AuditEvent.entity:" + name
	return []object{some(at(id), 0, most), some(at(id+".type"), 1, "1", "patternCoding", object{"system": system, "code": code})}
}

// agentOf is a slice of agents with its type.
func agentOf(name, least, most, system, code string) []object {
	id := "AuditEvent.agent:" + name
	n := 0
	if least == "1" {
		n = 1
	}
	return []object{some(at(id), n, most),
		some(at(id+".type"), 1, "1", "patternCodeableConcept", object{"coding": []object{{"system": system, "code": code}}})}
}

// eventProfile holds for every event.
func eventProfile() object {
	e := []object{at("AuditEvent"), sliced("AuditEvent.extension", "url")}
	for _, url := range []string{ExtensionGrant, ExtensionRequest} {
		name := strings.TrimPrefix(url, fhir.Canonical+"/StructureDefinition/audit-")
		e = append(e, some(at("AuditEvent.extension:"+name), 0, "1", "type", []object{{"code": "Extension", "profile": []string{url}}}),
			fixed(at("AuditEvent.extension:"+name+".url"), "fixedUri", url))
	}
	e = append(e, some(at("AuditEvent.type.system"), 1, "1"), some(at("AuditEvent.type.code"), 1, "1"),
		some(at("AuditEvent.subtype"), 1, "*"), some(at("AuditEvent.subtype.system"), 1, "1"), some(at("AuditEvent.subtype.code"), 1, "1"),
		some(at("AuditEvent.recorded"), 1, "1"), some(at("AuditEvent.source.observer.identifier"), 1, "1"),
		some(at("AuditEvent.source.type"), 1, "1"), some(at("AuditEvent.agent.who"), 1, "1"))
	const delegator = "AuditEvent.agent:delegator"
	e = append(e, sliced("AuditEvent.agent", "role"), some(at(delegator), 0, "1"),
		some(at(delegator+".role"), 1, "1", "patternCodeableConcept", object{"coding": []object{{"system": fhir.SystemRoleCode, "code": "DELEGATOR"}}}),
		fixed(at(delegator+".requestor"), "fixedBoolean", false))
	for _, none := range []string{".type", ".policy", ".network", ".purposeOfUse"} {
		e = append(e, some(at(delegator+none), 0, "0"))
	}
	e = append(e, sliced("AuditEvent.entity", "type"))
	e = append(e, entityOf("patient", "1", systemEntityType, "1")...)
	e = append(e, some(at("AuditEvent.entity:patient.what"), 1, "1"))
	e = append(e, entityOf("object", "2", systemEntityType, "2")...)
	e = append(e, entityOf("consent", "*", systemResources, "Consent")...)
	e = append(e, some(at("AuditEvent.entity:consent.what"), 1, "1"))
	for _, c := range []struct{ name, system, code string }{
		{"token", systemAgentType, "UserOauthAgent"}, {"transaction", systemBALPEntity, "XrequestId"}, {"grant", SystemEntity, "grant"},
	} {
		e = append(e, entityOf(c.name, "1", c.system, c.code)...)
		e = append(e, some(at("AuditEvent.entity:"+c.name+".what.identifier.value"), 1, "1"))
	}
	e = append(e, entityOf("facts", "1", SystemEntity, "facts")...)
	e = append(e, some(at("AuditEvent.entity:facts.what"), 0, "0"), some(at("AuditEvent.entity:facts.detail"), 1, "*"))
	return structure(ProfileEvent, "MandateAuditEvent", "Every event of Mandate's audit log", "AuditEvent",
		"http://hl7.org/fhir/StructureDefinition/AuditEvent", e...)
}

// decisionProfile holds for decisions that no Consent made, or that lack what
// AuthZconsent asks for: the shape is the same, consents and the organisation
// may be missing, and further entities may stand (TR-17, AU-02, AU-03).
func decisionProfile() object {
	e := []object{at("AuditEvent"),
		fixed(at("AuditEvent.type"), "patternCoding", object{"system": systemDCM, "code": "110113"}),
		some(at("AuditEvent.subtype"), 1, "1", "patternCoding", object{"system": systemAuthZ}),
		some(at("AuditEvent.action"), 1, "1", "patternCode", "E"), sliced("AuditEvent.agent", "type"),
	}
	e = append(e, agentOf("client", "0", "1", systemDCM, "110150")...)
	e = append(e, agentOf("user", "0", "1", fhir.SystemParticipationType, "IRCP")...)
	e = append(e, fixed(at("AuditEvent.agent:user.requestor"), "fixedBoolean", true))
	e = append(e, agentOf("userorg", "0", "1", systemRoleClass, "PROV")...)
	e = append(e, fixed(at("AuditEvent.agent:userorg.requestor"), "fixedBoolean", false))
	e = append(e, agentOf("authorizer", "1", "1", systemSecurity, "authserver")...)
	return structure(ProfileDecision, "MandateAuthzDecision", "A decision about access that AuthZconsent of BALP cannot express", "AuditEvent", ProfileEvent, e...)
}
