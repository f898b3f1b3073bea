// Package fhirapi serves the FHIR resources that Mandate itself owns: Consent,
// RelatedPerson and, to read only, AuditEvent (D14). It promises that every resource it gives or takes
// was judged by access.Decide on its hot fields, that a body is validated
// before it is stored, and that a write and its audit event share one
// transaction.
//
// Neighbours: web/gateway verifies the token, judges the request, strips
// labels, records reads and writes HTTP; consent and proxy keep the records.
// It owns no HTTP and no decision.
package fhirapi
