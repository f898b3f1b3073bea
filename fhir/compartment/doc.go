// Package compartment is FHIR R4 as data: the resource types, the patient
// compartment, and which element each token, reference and date search
// parameter reads. It promises what the official definitions say (tables.tsv
// is generated from them by gen) plus one judgement of our own, in about.go:
// which parameters mean "about this patient" rather than "written by", because
// membership alone would show a patient other patients' records (SMART
// CMP-10).
//
// Neighbours: fhir/scope asks which granular parameters can be evaluated,
// fhir/view reads the elements, the gateway constrains searches. It owns no
// decision and reads no resource.
package compartment

//go:generate go run ./gen ../../../r4/package tables.tsv
