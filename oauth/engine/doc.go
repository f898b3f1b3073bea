// Package engine is the adapter around fosite, the OAuth protocol state
// machine (D1), and the home of everything that makes or checks a token. Its
// promises: no fosite type leaves it; fosite runs on a per-request unit of
// work, so it reads nothing and writes nothing itself; its clock decides
// nothing; scopes and ends come from the grant; what an answer changes is
// handed back as Writes and applied in one transaction with its audit event.
//
// Neighbours: oauth/grant walks the token endpoint's phases and calls Token;
// oauth/flow calls IssueCode; web/gateway asks Verifier; web/protocol calls
// Introspect and Revoke. It decides about no scope and no consent: that is
// access, asked through Redecider.
package engine
