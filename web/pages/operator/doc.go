// Package operator is the console's pages about registered apps: what waits for
// a decision and until when, one app with its last requests, and the decisions.
//
// It promises that a page opens only to an administrator who signed in with a
// second factor and holds the role of an operator while such roles are assigned,
// and that nothing changes without a question first.
//
// Neighbours: oauth/registration decides and records, oauth/flight has the
// requests, web/pages renders.
package operator
