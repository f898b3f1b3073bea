// Package kit is the stranger that the conformance rows send to a server: a
// browser without a screen that reads forms as HTML, an OAuth client of every
// kind, and a FHIR client.
//
// Neighbours: the row packages beside it use it; it uses HTTP, go-jose and an
// HTML parser. It owns no requirement: what an answer must look like is said by
// the rows.
package kit
