// Package explain tells operators why a request was allowed or refused: the rule,
// the scope, the versioned consents and the relationship behind the decision, in
// words and in stable codes.
//
// It promises that the answer is that of the gateway itself, asked for the same
// grant and standing; that it holds ids, codes and scopes and nothing else of a
// record; and that every question is in the audit log before it is answered.
//
// Neighbours: web/gateway judges, audit keeps what happened, web/adminapi/explain,
// the console and the command line ask. It owns no rule.
package explain
