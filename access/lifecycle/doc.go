// Package lifecycle holds the use-cases that span accounts, consents and
// relations: an invitation is accepted, an identity is proofed, a grant is made,
// changed and ended. Its promise: each is one transaction with its audit events,
// and what somebody may do it asks the machine of package proxy.
//
// Neighbours: identity makes accounts, consent files Consents, proxy keeps cases
// and RelatedPersons; what ends here dies in tokens through the patient's
// consent epoch, never by a call upward.
package lifecycle
