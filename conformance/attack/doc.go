// Package attack attacks a started server as people on the network do: it guesses
// passwords and codes, takes sessions over, and misuses the APIs. It promises to
// list each step and what stopped it, to stay on loopback, and to end by itself.
//
// Neighbours: conformance/kit does the talking, internal/testrun starts the
// server; make attack prints the list. It owns no row of the selftest.
package attack
