// Package kms keeps key-encryption keys in a key service: Vault's transit
// engine, over its HTTP interface. Keys never leave the service; it wraps and
// unwraps one key per tenant, at the start and at rotations.
//
// Neighbour: internal/keys, whose Provider it is. It knows no store.
package kms
