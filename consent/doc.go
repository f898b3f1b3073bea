// Package consent decides what a patient's FHIR Consents let somebody see and
// do. Its promise: the answer depends only on the set of Consents and the
// question, never on their order; what cannot be understood grants nothing
// and still denies; law and safety come before any Consent.
//
// The parts: records and their port (record.go), a tolerant reader
// (parse*.go), the compiled policy of one patient (policy.go), the decision
// (evaluate.go, label.go, match.go), the explicit SMART scopes that follow
// from the rules (scopes.go, functions.go), the Consent that records the
// approval of an app (approval.go) and the use-cases (service.go).
//
// Neighbours: access combines these answers with relationship, authority,
// role and token; the store implements Store; fhir/codec validates what is
// filed. Consent does not know accounts, clients' tokens, RelatedPerson
// records or the FHIR server behind: whoever asks has settled those (EV-01).
package consent
