// Package retention erases the bodies of old audit events, class by class, and
// nothing that is under a legal hold. It promises that an erasure is recorded
// in the log before it begins, that the leaf of an erased event stays
// verifiable, and that whatever changes what may be erased is itself an event.
//
// Neighbours: audit seals and verifies and says which kind belongs to which
// class. It owns the port.
package retention
