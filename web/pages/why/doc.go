// Package why is the console's page that tells why a request was allowed or
// refused.
//
// It promises that the page opens only to an operator or an auditor who signed in
// with a second factor, that a look at a grant is an operator's, and that each
// question is recorded before it is answered.
//
// Neighbours: web/explain answers and records, web/pages renders.
package why
