// Package upstream is the client of the real FHIR server behind Mandate. It
// promises bounded time and memory, never follows a link away from the
// configured base, and tells every failure of the server as errs.Upstream. What it
// opens as a bundle is read part by part and never held as a whole.
//
// Neighbours: web/gateway forwards decided requests through it, access/preview
// and the sign-in flow read names and counts. It decides nothing, and
// keeps nothing but what Recent does and Backend's own token.
package upstream
