// Package passkey verifies passkeys and security keys (WebAuthn Level 3). It
// promises that a key counts only for the host and the origin of this server,
// only with the person verified by the authenticator, and only for the challenge
// that the caller names.
//
// Neighbours: identity.Service makes challenges, keeps the keys and judges their
// counters; pages carry the options to the browser. It stores nothing.
package passkey
