// Package adminapi is the operators' JSON API of consents, brands and the audit
// trail; the packages below it have clients, grants and launches. Errors are
// problem+json.
//
// Neighbours: it calls the use-cases of consent and proxy; who may call is
// decided by the guard that cmd/app hands in. It owns no rule.
package adminapi
