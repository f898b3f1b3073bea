// Package vectors answers decision vectors from files: each asks whether one
// person may do one thing with one resource under the Consents of a Bundle. Its
// promise: the answers are those of the production engine (consent.Evaluate)
// behind the gate of the relationship (EV-01), and what cannot be read denies.
//
// The parts: the reader of files, tolerant in shape (read.go), and the answers
// (answer.go).
//
// Neighbours: package consent decides, package proxy reads relations; the command
// line prints. The package knows no store, no clock and no account.
package vectors
