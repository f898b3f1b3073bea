// Package factors serves “My devices and sign-in”: what a person signs in with,
// enrolment, names and removal. It promises that nothing changes without a fresh
// log-in, and that what was typed is kept.
//
// Neighbours: identity.Service decides and stores; web/session keeps cookies and
// form tokens; web/pages draws. It owns no rule about who may change what.
package factors
