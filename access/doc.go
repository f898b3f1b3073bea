// Package access is the one decision point. Every answer to "may this be
// seen or done" is the same pure function of values: the grant, the acting
// capacity, the patient's compiled consents, roles, the request or the
// resource, and the time. It loads nothing itself; the floor above fills the
// values in.
//
// Neighbours: consent compiles and evaluates consents; fhir/scope gives scope
// semantics; oauth and web/gateway ask. access/preview runs the same function
// over a patient's record for the consent page.
package access
