// Package pkcs11 keeps key-encryption keys in a hardware security module (HSM)
// behind the PKCS#11 interface: AES-256 keys that are made on the token and never
// leave it (SE-02, SE-04). The token wraps and unwraps one key per tenant with
// AES-GCM, at the start and at rotations.
//
// A PKCS#11 module is a C library, so the provider is built with cgo and the
// build tag pkcs11 only. Without the tag the package reads a place and refuses
// to open it, and the program stays static.
//
// Neighbour: internal/keys, whose Provider it is. It knows no store.
package pkcs11
