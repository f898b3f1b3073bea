// Package algorithm is an independent evaluator of patients' Consents. It makes
// sets of Consents and questions at random from a seed, and answers them from the
// rows of the consent algorithm alone (EV-01 to EV-15); the test asks the built
// program the same by `mandate consent eval` and compares.
//
// Neighbours: none on purpose. It imports no room of the house and repeats none of
// its code, so that both would have to be wrong in the same way. Where the rows
// leave something open it takes the reading that keeps more from people, and a
// comment says so. The code hierarchies are those published with the rows.
package algorithm
