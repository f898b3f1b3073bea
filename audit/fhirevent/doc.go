// Package fhirevent writes audit events as FHIR R4 AuditEvent resources after
// the IHE Basic Audit Log Patterns (B.3, AU-01 … AU-21). It promises that every
// kind of event has a valid form, that a profile is claimed only when all it
// asks for is present (AR-10), and that nothing but identifiers is written:
// no names, no results, no tokens (AR-05).
//
// Neighbours: audit owns the events; web/fhirapi serves the resources. It owns
// no storage and no search.
package fhirevent
