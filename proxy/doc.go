// Package proxy knows who may stand for a patient: RelatedPerson resources,
// their validity and the account they belong to (nothing to do with HTTP
// proxies). A relationship alone never grants anything (A.1): what a proxy may
// see is decided by consent, combined in access.
//
// It owns the RelatedPersons of the tenant (D14).
package proxy
