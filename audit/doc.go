// Package audit is the record of who did what to whose record, and by which
// right. Its promise (D8): a state change and its event share one transaction;
// a read or an introspection hands its event to a durable queue before the
// last byte of the answer leaves; when neither is possible the act is refused.
//
// Neighbours: every room above appends events; audit/fhirevent maps them to
// FHIR AuditEvent. It owns no decision and no personal data beyond
// identifiers.
package audit
