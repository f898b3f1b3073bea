// Package pcf knows the Consent profiles of IHE Privacy Consent on FHIR (PCF 1.1).
// Its promise: Lint tells by element path why a Consent does not meet the profile
// it claims (PC-25), and Render says as much of a Consent of Mandate's own profile
// as PCF can, in a way that a reader who does not understand the rest must refuse
// rather than let in too much.
//
// Neighbours: package consent reads and decides; package pcf only looks at form.
// The bindings of labels and purposes are taken as extensible, as the published
// examples need it; what FHIR R4 itself asks is fhir/codec's to check.
package pcf
