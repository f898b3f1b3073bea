// Package totp checks time-based one-time passwords (RFC 6238): six digits,
// 30 seconds, SHA-1, one step of clock difference either way. It promises that
// a code is compared in constant time and that the caller learns its time
// step, so that a code can be made to work once.
//
// Neighbours: identity.Service keeps the secret and the last step used. It
// stores nothing and counts no failures.
package totp
