// Package directory owns the accounts of staff as a directory of the organisation
// sees them: what a directory may ask (filters), say (users and groups of RFC 7643)
// and change (the PATCH of RFC 7644), and what becomes of the account then. It
// promises that nobody's account is seen or changed here who is no member of staff,
// that no account is taken over by a name that somebody has already, that the end of
// an account ends its log-ins and what apps were given at once, that one
// administrator is left, and that each change and each refusal is in the audit log.
//
// Neighbours: identity owns the accounts, their sessions and how somebody enrols;
// web/scim speaks HTTP; cmd/app joins the ending of grants. It does not decide who
// may ask: that is a client's scope.
package directory
