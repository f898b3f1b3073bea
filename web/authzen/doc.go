// Package authzen is the policy decision point for other resource servers, in the
// form of the OpenID AuthZEN Authorization API 1.0: may the holder of this access
// token do this with that resource?
//
// It promises that the answer is the gateway's own decision for the same grant and
// standing, that a client without the right learns nothing, that a hidden and an
// absent resource are told alike to who does not have it, and that no decision
// leaves before it is in the audit log.
//
// Neighbours: web/gateway judges, web/explain reads requests and knows what ends a
// grant, cmd/app says who may ask. It owns no rule.
package authzen
