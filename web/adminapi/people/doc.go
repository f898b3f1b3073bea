// Package people is the part of the operators' JSON API by which other systems tell
// what happened to people: the registration feed (deaths, relationships that ended,
// merged records, another custodian), and the connector of a service that proofs
// identities at a distance. Errors are problem+json.
//
// Neighbours: access/lifecycle does what is told, and records it; who may call is
// decided by the guard that cmd/app hands in. It owns no rule.
package people
