// Package grants is the part of the operators' JSON API that lists and ends what
// people allowed apps. Errors are problem+json.
//
// Neighbours: oauth.Connections ends and records; who may call is decided by the
// guard that cmd/app hands in. It owns no rule.
package grants
