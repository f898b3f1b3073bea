// Package appstate keeps what apps store for themselves: SMART App State 2.2
// (experimental; APS-01…APS-08). A state is a FHIR Basic resource with one code,
// about one person or about nobody. It promises that an app reaches only the
// codes that are registered for it, within its token's scopes and the consents
// in force, that what is kept comes back as it came, and that each change names
// the version that it replaces.
//
// Neighbours: web/gateway serves it beside the FHIR base and says what stands
// behind a token; access decides about states of patients as about any other
// resource. Nothing of it reaches the FHIR server behind, and Mandate never uses
// what is in it.
package appstate
