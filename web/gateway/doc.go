// Package gateway is the enforcement point in front of the FHIR server: token
// → request as a value → decision → rewrite → upstream → filter → audit. It
// promises that nothing leaves that access.Decide did not allow on that very
// resource, that the upstream never sees text of the client but validated
// resources, that hidden and absent look alike, that an event is durable
// before the answer's last byte, and that what it does not understand is
// refused.
//
// Neighbours: fhir/rest parses, access decides, oauth/authority fills in the
// standing, fhir/upstream is asked, web/fhirapi serves the types Mandate owns,
// web/problem writes refusals. It caches no health data and decides nothing
// itself.
//
// In reading order: gateway.go and token.go (who asks), act.go (one
// interaction), sight.go (one resource), mention.go (what it tells of
// others), read.go, search.go, sheet.go (what leaves
// while the upstream still sends), pages.go, fetch.go, included.go, beside.go,
// everything.go, binary.go, provenance.go, parameters.go, write.go, input.go, written.go, conditional.go,
// patch.go, bundle.go, export.go, ndjson.go, owned.go, metadata.go, definitions.go,
// audit.go, spike.go, modes.go, cors.go, answer.go.
package gateway
