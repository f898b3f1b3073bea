// Package protocol is the OAuth and OpenID Connect endpoints over HTTP:
// strict parsing in, RFC error or answer out. Its promise: a request that
// reaches a use-case has each parameter once, in the body, within limits; an
// answer with a token is never cached, and a browser may read it only from an
// origin that its client registered.
//
// Neighbours: oauth/flow (authorize), oauth/grant (token), oauth/engine
// (introspect, revoke) do the work; web/problem writes the errors. It owns no
// decision.
package protocol
