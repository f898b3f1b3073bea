// Package keys owns secrets at rest and signing keys. Sealed is the one type
// for an encrypted column; Ring signs and verifies with go-jose and keeps
// retired public keys as long as something signed by them may live.
//
// Providers live in subpackages (local, pkcs11, kms). It knows no room.
package keys
