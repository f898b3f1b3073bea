// Package session is what a browser's requests have in common: the session
// cookie, the flow cookie that binds an authorization request to one browser,
// the language cookie, form tokens, the refusal of cross-site posts and the
// client's address. It promises that cookie values are opaque, that a form
// only counts when it comes from a page given to the same browser in the same
// session, and that nobody but a configured proxy can choose the address seen.
//
// Over https cookies are Secure and carry the __Host- prefix. Over plain http,
// which is meant for development on localhost only, they have neither.
//
// It is for page routes. Routes that authenticate by token or client
// credentials are not wrapped in it: apps call them from other origins.
//
// Neighbours: identity.Service owns sessions; web/pages/signin changes them;
// web/pages shows the form token. It owns no page and no rule about who may
// see what.
package session
