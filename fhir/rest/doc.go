// Package rest is a FHIR R4 REST request as a value. Parse promises that what
// it returns means one thing only: a request with a second possible reading
// (encoded or doubled slashes, dot segments, method overrides, repeated
// parameters, absolute addresses in a bundle, a body that names another
// resource than the address) is refused, and so is everything it does not
// know. Upstream writes the request anew from the value; no text of the
// client is forwarded but resource bodies that were read strictly.
//
// Neighbours: access decides on the value, web/gateway adds constraints with
// With and sends Upstream's result. It owns no decision, opens no connection
// and knows nothing of scopes.
package rest
