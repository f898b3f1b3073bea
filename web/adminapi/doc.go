// Package adminapi is the operators' JSON API: clients, grants, consents and
// the audit trail. Errors are problem+json.
//
// Neighbours: it calls the use-cases of oauth, consent and proxy; who may call
// it is decided by the guard that cmd/app hands in. It owns no rule.
package adminapi
