// Package calls serves both ends of a telephone call: the page on which a person
// reads the code that proves who they are, and the console at which staff type it.
// It promises that the console shows nothing about any person before the caller is
// verified, and that all refusals are the same bytes.
//
// Neighbours: oauth/callers decides; web/pages has the look.
package calls
