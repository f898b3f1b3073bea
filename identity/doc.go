// Package identity owns accounts, their links to FHIR identities, their
// authentication factors and their log-in sessions. It promises that a session
// states truly how and when somebody authenticated, and that unknown accounts
// and wrong factors answer alike and in the same time.
//
// Neighbours: identity/factor/* verify one kind of proof each; web/session
// keeps the cookie. It never asks what somebody may see: that is access.
package identity
