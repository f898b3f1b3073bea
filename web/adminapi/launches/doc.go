// Package launches is the part of the operators' JSON API that registers, lists
// and ends launch contexts, for an EHR's support and for tests of an app. Errors
// are problem+json.
//
// Neighbours: oauth/flow registers, redeems and records; who may call is decided
// by the guard that cmd/app hands in. It owns no rule.
package launches
