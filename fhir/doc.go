// Package fhir holds the small plain FHIR R4 values that every room shares:
// references, codings, the acting capacity, and the hot fields of a resource
// on which access is decided. It promises values without behaviour that
// depends on a wire format: JSON is read in fhir/view (hot fields) and
// fhir/codec (whole resources through google/fhir).
//
// Neighbours: fhir/scope, fhir/rest, fhir/compartment and fhir/upstream build
// on it. It owns no decision and no storage.
package fhir
