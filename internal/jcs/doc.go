// Package jcs writes a JSON text in the one form that RFC 8785 (JSON
// Canonicalization Scheme) gives it, so that two texts which mean the same have the
// same bytes and a signature can be about what a text says.
package jcs
