// Package records is the part of the operators' API through which another system
// reads and gives the records that Mandate keeps beside Consents: evidence of
// instruments, what was checked, what was found (RS-01 … RS-11). They are not at the
// FHIR base (D14).
//
// Neighbours: access/lifecycle stores them; web/records shows them to people.
package records
