// Package federation serves the way to a configured identity provider and back, and
// what such a provider tells of log-outs. Its promise: an answer counts only in the
// browser that left, once, and only from the provider it left for; what a provider
// says of a person makes a session by the rules of identity, never by its own word.
//
// Neighbours: identity/federation speaks the protocols and finds out who somebody is
// here; identity makes, links and ends sessions; web/session keeps cookies. It owns no
// rule about who may sign in.
package federation
