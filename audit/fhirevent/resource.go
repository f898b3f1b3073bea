package fhirevent

import "github.com/mandate-health/mandate/fhir"

// Code systems that only audit events use.
const (
	systemDCM         = "http://dicom.nema.org/resources/ontology/DCM"
	systemEventType   = "http://terminology.hl7.org/CodeSystem/audit-event-type"
	systemInteraction = "http://hl7.org/fhir/restful-interaction"
	systemEntityType  = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
	systemObjectRole  = "http://terminology.hl7.org/CodeSystem/object-role"
	systemSourceType  = "http://terminology.hl7.org/CodeSystem/security-source-type"
	systemSecurity    = "http://terminology.hl7.org/CodeSystem/extra-security-role-type"
	systemProvenance  = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
	systemRoleClass   = "http://terminology.hl7.org/CodeSystem/v3-RoleClass"
	systemResources   = "http://hl7.org/fhir/resource-types"
	systemIHEEvent    = "urn:ihe:event-type-code"
	systemAuthZ       = "https://profiles.ihe.net/ITI/BALP/CodeSystem/AuthZsubType"
	systemAgentType   = "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes"
	systemBALPEntity  = "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType"
	profileBALP       = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
)

// Mandate's own systems, for what no standard names.
const (
	// SystemSubtype holds the subtypes of events.
	SystemSubtype = fhir.Canonical + "/CodeSystem/audit-subtype"
	// SystemEntity holds the types of entities: grant, facts.
	SystemEntity = fhir.Canonical + "/CodeSystem/audit-entity"
	// SystemTypedName is the identifier system of the keyed hash of a name
	// that belongs to no account (AU-06).
	SystemTypedName = fhir.Canonical + "/typed-name-hash"
)

type resource struct {
	ResourceType string      `json:"resourceType"`
	ID           string      `json:"id,omitempty"`
	Meta         *meta       `json:"meta,omitempty"`
	Extension    []extension `json:"extension,omitempty"`
	Type         coding      `json:"type"`
	Subtype      []coding    `json:"subtype,omitempty"`
	Action       string      `json:"action,omitempty"`
	Recorded     string      `json:"recorded"`
	Outcome      string      `json:"outcome,omitempty"`
	OutcomeDesc  string      `json:"outcomeDesc,omitempty"`
	Purpose      []concept   `json:"purposeOfEvent,omitempty"`
	Agent        []agent     `json:"agent"`
	Source       source      `json:"source"`
	Entity       []entity    `json:"entity,omitempty"`
}

type extension struct {
	URL   string `json:"url"`
	Value string `json:"valueString"`
}

type meta struct {
	Profile []string `json:"profile"`
}

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

type concept struct {
	Coding []coding `json:"coding"`
}

func conceptOf(system, code string) concept {
	return concept{Coding: []coding{{System: system, Code: code}}}
}

type identifier struct {
	System string `json:"system,omitempty"`
	Value  string `json:"value"`
}

type reference struct {
	Reference  string      `json:"reference,omitempty"`
	Identifier *identifier `json:"identifier,omitempty"`
}

func named(system, value string) *reference {
	return &reference{Identifier: &identifier{System: system, Value: value}}
}

type network struct {
	Address string `json:"address"`
	// Type is 1 for a machine name, 2 for an IP address.
	Type string `json:"type"`
}

type agent struct {
	Type         *concept   `json:"type,omitempty"`
	Role         []concept  `json:"role,omitempty"`
	Who          *reference `json:"who,omitempty"`
	Requestor    bool       `json:"requestor"`
	Policy       []string   `json:"policy,omitempty"`
	Network      *network   `json:"network,omitempty"`
	PurposeOfUse []concept  `json:"purposeOfUse,omitempty"`
}

type source struct {
	Site     string    `json:"site,omitempty"`
	Observer reference `json:"observer"`
	Type     []coding  `json:"type"`
}

type entity struct {
	What   *reference `json:"what,omitempty"`
	Type   *coding    `json:"type,omitempty"`
	Role   *coding    `json:"role,omitempty"`
	Query  string     `json:"query,omitempty"`
	Detail []detail   `json:"detail,omitempty"`
}

type detail struct {
	Type  string `json:"type"`
	Value string `json:"valueString"`
}
