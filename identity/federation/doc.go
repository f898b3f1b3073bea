// Package federation holds what is the same for every way to sign in elsewhere:
// what an operator says of an identity provider, the table that gives its log-ins
// their assurance, and the rules that find out who somebody is here. It promises
// that what no rule knows counts least, and that nobody is found by an address of
// e-mail or a telephone number.
//
// Neighbours: identity makes the session; the folders below speak the protocols. It
// owns no connection and stores nothing.
package federation
