// Package view reads FHIR JSON for decisions without decoding it: Scan gives
// the hot fields of one resource, Entries takes a bundle apart and puts it
// together again with every resource byte for byte, StripLabels removes
// security labels. It promises strict JSON (RFC 8259, valid UTF-8, bounded
// depth) and refuses repeated keys in every object it looks into, because two
// readers could take different ones for true.
//
// Neighbours: fhir/compartment says which elements count; access decides on
// the fhir.Resource; the gateway filters bundles. It owns no decision, does
// not validate resources against FHIR (fhir/codec does) and never resolves a
// reference.
package view
