// Package txn gives rooms their transactions without knowing the store. A
// room names the port it needs as a type; cmd/app hands in a Runner of that
// type which is backed by the one store. Nothing travels in a context.
package txn
