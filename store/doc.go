// Package store keeps what the rooms own. Its promise: one act is one
// transaction (InTx) with every port of every room in it; the statements are
// written once and mean the same on each engine (D4); a compare-and-set has
// one winner however many try.
//
// Neighbours: store/embedded and store/postgres are the engines, store/storetest
// is the suite each must pass, migrations holds the tables. It decides nothing:
// rules live in the rooms. It never meets web.
//
// Two things to know when calling it. A statement that failed breaks its
// transaction on both engines: InTx then gives that error even if the function
// swallowed it (answers such as errs.NotFound or a lost compare-and-set are
// not failures). And inside InTx only the given Tx may be used for writing: on
// the embedded engine a write through the Store would wait for the caller
// itself.
package store
