// Package call is what the parts of the operators' JSON API have in common: an
// operation is declared with the types of its parameters, body and answer, is
// read strictly by them, stands behind the guard, and is documented from them.
//
// It promises that a parameter or member which is not declared is refused, that
// nothing is cached, and that errors are problem+json.
//
// Neighbours: the packages beside it declare operations; web/route carries them;
// who may call is decided by the guard that cmd/app hands in.
package call
