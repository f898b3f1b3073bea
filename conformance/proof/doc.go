// Package proof is an independent judge of what the gateway lets through. It
// makes records, Consents, grants and requests at random from a seed, says from
// the requirement rows alone what each answer must and may contain, and finds
// in a real answer what leaked and what was wrongly kept.
//
// Neighbours: none on purpose. It imports no room of the house, reads JSON only,
// and repeats no code of the decision point, so that both would have to be
// wrong in the same way. The test of web/gateway asks the gateway; `make proof
// SEED= CASES=` is the long form.
package proof
