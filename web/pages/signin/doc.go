// Package signin serves the pages around a log-in: sign-in for patients and
// for staff, second factor, sign-out, choice of language, and the request by
// which a page asks for more time. It promises that a failed sign-in looks the
// same whatever was wrong, that every redirect after a form is a 303 to an own
// path, and that what was typed, but for secrets, is kept.
//
// Neighbours: identity.Service decides; web/session keeps cookies and form
// tokens; web/pages draws. It owns no rule about who may sign in or for how
// long.
package signin
