// Package embedded is the engine in a folder: SQLite in the process, durable
// (WAL, synchronous=FULL), one writer and several readers. Its promise: writers
// that arrive while a commit is on its way to the disk share the next one
// (group commit), and none is harmed by the failure of another.
//
// Neighbour: store, which gives it statements. It knows no table.
package embedded
