// Package testauthn is an authenticator for tests: it makes passkeys and signs
// with them as a browser would post it, and can be told to lie. It is no part of
// the program.
package testauthn
