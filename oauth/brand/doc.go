// Package brand keeps the user-access brand bundle of a tenant: the FHIR
// Organizations and Endpoints by which apps show people where they may connect
// (SMART App Launch 2.2, BRD-01…BRD-08, US-28). It promises that what it keeps
// is a bundle that anybody may read: valid, with a brand for each endpoint, and
// with the time of its last change.
//
// Neighbours: web/adminapi and the command line edit it, web/protocol serves it
// and names it in the discovery document. Whether bytes are valid FHIR is asked
// of fhir/codec, handed in. It holds no health data and is not encrypted.
package brand
