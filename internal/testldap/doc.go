// Package testldap is a directory for tests: ldaps or StartTLS, a service account that
// may look for people, filters that count as they do elsewhere, and binds without a
// password that succeed, as directories let them. It remembers what it was asked. It
// is no part of the program.
package testldap
