// Package codec is the FHIR R4 edge: it says whether bytes are a valid
// resource and names the elements at fault. It is the only importer of
// google/fhir, whose checks of structure, cardinality, codes, dates and
// reference types it completes with those the library lacks: duplicate keys,
// empty arrays, objects and strings, depth, and the invariants of Consent.
//
// Neighbours: consent, proxy and the FHIR API validate what they store. It is
// never on the token path nor in the gateway's filter: it takes 0.1 to 0.3 ms
// a resource, and its first use some 5 ms. Linking it costs every process some
// 30 ms of start and 18 MB. It keeps no resource and does not rewrite what it
// validated: exact bytes are what is stored.
package codec
