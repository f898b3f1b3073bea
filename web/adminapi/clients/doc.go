// Package clients is the part of the operators' JSON API that registers,
// approves, changes and ends clients. Errors are problem+json.
//
// Neighbours: oauth/registration judges, stores and records each act; who may
// call is decided by the guard that cmd/app hands in. It owns no rule.
package clients
