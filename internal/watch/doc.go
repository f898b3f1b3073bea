// Package watch lets nodes keep things in memory that all of them may change.
// Its promise: what a node serves from memory is never older than a bound that
// the operator sets (D17); a node's own changes count at once.
//
// Rare acts (administration, revocation) write a Change beside what they
// change, in the same transaction. A Feed polls the store for them and forgets
// what they name; a notice of the database only makes it poll sooner. While
// the feed has not heard from the store for longer than the bound, nothing is
// served from memory: every read goes to the store, and fails with it. It owns
// the port; store implements it, the same on every engine (D4).
package watch
