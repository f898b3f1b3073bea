// Package conformance checks a SMART on FHIR authorization server from
// outside: it talks HTTP only and knows nothing of how Mandate is built. Each
// check is a row that cites its requirement (such as "SMART AZ-07"); rows that
// the target gives no means to run are reported as not tested, never as
// passed.
//
// Neighbours: conformance/kit is the stranger with a browser and a client, the
// other folders hold the rows; cmd/app runs the suite as `mandate selftest`.
// It imports no room of Mandate and owns no rule about what may be shared.
package conformance
