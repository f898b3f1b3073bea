// Package scope is the one grammar of SMART scopes, v1 and v2, and their
// algebra: union, meet, cover. It promises that nothing is ever widened: a
// token it cannot read is kept for the explanation and grants nothing, and
// every operation is sound on resources with any number of codings.
//
// A Set is a union of scopes; the parameters of one scope are a conjunction;
// the values of one parameter are alternatives (SMART SCP-06). The text of a
// requested scope is kept and goes back on the wire as it came.
//
// Neighbours: fhir/compartment knows the types and search parameters; access
// decides with Set; oauth stores the texts. It owns no policy: who may have
// which scope is decided elsewhere.
package scope
