// Package explanations is the part of the operators' JSON API that tells why a
// request is allowed or refused. Errors are problem+json.
//
// Neighbours: web/explain answers and records; who may call is decided by the
// guard that cmd/app hands in. It owns no rule.
package explanations
