// Package bedside serves both ends of an enrolment before a witness: the pages of staff
// who check who a patient is, and those of the patient's device. It promises that staff
// never see what a patient chooses, that nothing is confirmed without the number of the
// other device, and that pages of the device tell nothing without the code.
//
// Neighbours: identity.Service and access/lifecycle decide and store; web/session keeps
// the cookie; web/pages draws.
package bedside
