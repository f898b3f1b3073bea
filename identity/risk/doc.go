// Package risk judges a log-in by what was recorded about it. It promises pure
// rules that each name themselves, so that the audit log tells why a person was
// told, and to say of each signal whether anything looks at it.
//
// Neighbours: identity gathers the signals and acts on the outcome; cmd/app hands
// the rules in.
package risk
