// Package errs names what can go wrong. An error has a kind, by which the one
// table in web/problem chooses the wire form, and a stable cause code by which
// people, logs and documentation find each other. It never holds PHI, tokens
// or secrets. It owns no wire format.
package errs
