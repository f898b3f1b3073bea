// Package evidence keeps what Mandate records beside a Consent so that others can
// check how an access came about (A.1, RS-01…RS-11): Person, DocumentReference,
// Binary, VerificationResult, Task, Provenance, the Observation of a determination
// and the Flag of a hold. Its promise: a record is valid FHIR R4, knows whom it is
// about, and never changes in place, since every change is a version.
//
// Neighbours: consent writes a Provenance for each version of a Consent, and
// access/lifecycle the records of each step, both in the transaction of what they
// witness; access/lifecycle says who may read one. No decision about access reads a
// record, and none is merged into what the FHIR base answers (D14).
package evidence
