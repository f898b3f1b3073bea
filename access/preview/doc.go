// Package preview counts what a grant would let an app fetch from a patient's
// record, by running the production decision over the live record. The numbers
// on the consent page come from here, so they equal what the token can fetch.
//
// It reads through fhir/upstream and decides through access; it keeps nothing.
package preview
