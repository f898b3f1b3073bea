// Package dataset writes the synthetic palliative-care records that the
// development FHIR server starts with.
//
// Promise: for one start day the same bytes every time, in valid FHIR R4 with
// the US Core 6.1 categories and codes the granular scopes name (SMART US-17,
// US-18, US-20), and with a security label on every resource but a known
// share (LB-01: unlabelled is not ordinary, so both must exist).
//
// Layout of the records:
//
//   - Rosa, Noah, Joaquin and Elena, the people the example Consents speak of,
//     carry the ids of those examples; 40 further patients are p01 to p40.
//   - Every date moves with the start day, by whole days counted from
//     2026-11-20, so that a period that was running then is running now.
//   - Every clinical resource carries meta.security N or R, except each 50th
//     one in the order of generation, which carries none (2 %). Resources with
//     a fixed id (the people, the examples, rosa-enc-current and their like)
//     are never among them.
//   - Resources that carry a sensitivity topic (HIV, PSY, PSYTHPN, SUD,
//     OPIOIDUD, ETH, SDV, STD, 42CFRPart2) are R. The one exception is
//     Condition/rosa-cond-alcohol-mislabelled (N with SUD), there on purpose.
//     The handling labels NOPAT and PRS stand beside N, as in the vectors.
//   - Part 2 records are signed by Organization/lakeside-recovery-part2 where
//     their type can name an organization, but for
//     MedicationRequest/rosa-part2-med-elsewhere (vector T22).
//   - Upstream records and Persons have meta.versionId 1 and a meta.lastUpdated
//     not after the start day; the privacy Consents get both from their store.
//
// Neighbours: fhir/sandbox stores the bytes and serves them; cmd/app writes
// Consents, RelatedPersons and Persons into Mandate's own store.
//
// Not owned: serving, searching, versions after the first, and what a label
// means for access.
package dataset
