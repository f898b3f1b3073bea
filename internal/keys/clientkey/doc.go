// Package clientkey signs what proves Mandate, as a client, to somebody else's
// authorization server. It promises the two algorithms of SMART and keys that
// are large enough for them.
//
// Neighbours: fhir/upstream asks for signatures. It owns no key: the file is the
// operator's, and our own signing keys are the ring's.
package clientkey
