// Package sandbox is the development FHIR R4 server: the upstream that
// `mandate dev` protects when no other one is named. It promises the RESTful
// interactions of FHIR R4 (http.html, search.html), the search parameters of
// R4 and US Core, batch and transaction, Patient/$everything and the Bulk
// Data $export, all in JSON and in memory, with every resource kept as the
// exact bytes it came in except for meta.versionId and meta.lastUpdated.
//
// It is a test server, clear and small, not a product: it has no security,
// keeps nothing on disk, and checks that JSON is well formed and names a
// known type, not that it is valid FHIR.
//
// Neighbours: fhir/sandbox/dataset makes the records it is seeded with;
// cmd/app gives it a listener of its own. The gateway reaches it over TCP
// only, never by a call inside the process. It imports no room but fhir (the
// shape of ids) and internal/ids.
//
// Inside, from the wire inwards: server.go and route.go (HTTP and routes),
// read.go, write.go, patch.go, bundle.go, everything.go and export.go
// (interactions), answer.go, outcome.go and capability.go (what is sent back),
// query.go, match.go, date.go, search.go and include.go (search), store.go and
// index.go (records and their indexed values), params.txt and params.go (which
// parameters exist), tree.go (JSON that keeps its exact text).
//
// Known limits: no search across types, no composite parameters, no _text,
// _content, _list, _filter or _query, no start and end on $everything; _summary
// knows only count, and _elements is ignored.
package sandbox
