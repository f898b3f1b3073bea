// Package oauth owns clients, launch contexts, grants, codes and refresh
// tokens. Its promise (D3): the grant is the unit of truth; every token is
// derived from one and dies with it, and no row is written per access token.
//
// Neighbours: oauth/flow walks an authorization request through its steps,
// oauth/engine makes and checks tokens, oauth/grant holds one file per grant type. What
// may be granted is decided by access, never here.
package oauth
