// Package kms keeps key-encryption keys in a key service: Vault's transit
// engine over its HTTP interface, or AWS KMS through its SDK. Keys never leave
// the service; it wraps and unwraps one key per tenant, at the start and at
// rotations.
//
// Neighbours: internal/keys, whose Provider each is; internal/awsconf, which
// says how AWS is reached. It knows no store.
package kms
