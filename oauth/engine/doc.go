// Package engine makes and checks tokens: it is the state machine of codes,
// refresh tokens and access tokens (RFC 6749, RFC 7009, RFC 7636, RFC 7662, OIDC
// Core). Its promises: what is presented is judged from rows that were read in
// front; its clock is the injected one; scopes and ends come from the grant; what
// an answer changes is handed back as Writes and applied in one transaction with
// its audit event, that of a refusal too.
//
// Neighbours: oauth/grant walks the token endpoint's phases and calls Token;
// oauth/flow calls IssueCode; web/gateway asks Verifier; web/protocol calls
// Introspect and Revoke. It decides about no scope and no consent: that is
// access, asked through Redecider. It authenticates nobody: that is clientauth.
package engine
