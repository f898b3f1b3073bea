// Package broken is a server that is wrong on purpose: a proxy in front of a
// good one that breaks exactly one thing at a time. A check that stays green
// before it is worth nothing.
//
// Neighbours: the tests of conformance run the suite against it. It knows the
// good server from outside only and is no part of the program.
package broken
