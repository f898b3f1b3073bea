// Package testsmtp is a submission server for tests: STARTTLS or TLS from the
// first byte, one user, and it remembers what it took. It is no part of the
// program.
package testsmtp
