// Package scim speaks SCIM 2.0 (RFC 7643, RFC 7644) with a directory that provisions
// staff: users, groups, and what the server says about itself. It promises that a
// body means one thing only, that every answer is application/scim+json with the
// version of what it shows, and that what is not offered (bulk, sorting, search by
// POST, /Me) is refused and told in the configuration.
//
// Neighbours: identity/directory reads filters and operations, and does the acts; who
// may ask is decided by the guard that cmd/app hands in. It owns no rule.
package scim
