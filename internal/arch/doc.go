// Package arch holds the shape of the house and the tests that keep it.
//
// The promise: deps.txt and calls.txt say as data which folder may import
// which, where each outside library may appear, and which calls are kept to one
// place. The tests of this package walk the whole module and name the file and
// line that breaks a rule. They also check the size budgets, that no folder of a
// room is part of a circle, which Go itself does not forbid, and that what runs in
// a transaction begins anew when it is tried again.
//
// Neighbours: picture draws the same graph into docs/; testsum runs the tests
// and fails on a skipped one. Style and correctness of single lines belong to
// the linter (.golangci.yml).
//
// Not owned: nothing at run time. No package of the binary imports this one.
package arch
