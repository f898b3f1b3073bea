// Package flow walks an authorization request through its steps: log-in,
// second factor, patient, consent, code. One dispatcher names the next step;
// steps never call one another, and the state between them is stored, bound
// to one browser (SMART CTX-21: the launch context belongs to the request and
// then to the grant, never to the log-in session).
//
// Neighbours: web/protocol parses the HTTP request, web/pages show the steps,
// access decides what may be granted, oauth/engine makes the code. It knows no
// HTML.
package flow
