// Package records shows people the records that Mandate keeps beside Consents, as
// FHIR JSON below an address of their own: staff who care for patients, the
// submitter of a document, and who waits for an access the status of that. It
// promises that what is hidden and what is absent are one answer, and that no record
// leaves without an event.
//
// Neighbours: access/lifecycle decides who reads what; web/adminapi/records serves
// other systems. Nothing of it is at the FHIR base (D14).
package records
