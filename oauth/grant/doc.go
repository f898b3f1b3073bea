// Package grant is the token endpoint's use-case and the grant types, one
// file each. Its promise: Endpoint owns the phases that every token request
// goes through, in this order: authenticate the client, let the grant type
// read its rows, ask the decision point again, issue, and commit changes,
// replay guard and audit event in one transaction. A grant type only fills
// blanks and cannot forget a phase; a refusal leaves an event too.
//
// Neighbours: web/protocol parses and answers; oauth/engine issues; access
// decides, asked through engine.Redecider. It owns no HTTP.
package grant
