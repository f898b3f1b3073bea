// Package web joins the routes of its subpackages into one HTTP handler:
// gorilla/mux, request ids, recovery, limits and the general security headers
// live here. A route exists only with its metadata (web/route).
//
// Neighbours: each subpackage exports its routes; cmd/app hands them in. It
// owns no page and no protocol.
package web
