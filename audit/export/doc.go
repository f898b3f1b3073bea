// Package export takes the audit log out of the store: as NDJSON that can be
// verified without it, as FHIR AuditEvents, and as a stream of syslog messages
// over TLS (RFC 5424, RFC 5425). It promises that a stream loses nothing: its
// place is kept in the store, in sealing order, and moves on only behind what
// the receiver's connection took.
//
// Neighbours: audit seals and verifies; audit/fhirevent maps. Who may export
// and where to is decided above.
package export
