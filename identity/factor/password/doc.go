// Package password hashes and verifies passwords with Argon2id. It promises
// that only so many hashes run at once, that an account without a password
// costs the same work as one with, and that a password typed on any keyboard
// is the same password (NFC).
//
// Neighbours: identity.Service is its caller and owns accounts, throttling and
// audit. It stores nothing and decides nothing about who may sign in.
package password
