// Package authority loads what a decision about somebody's standing needs:
// the compiled consents of the patient and whether the acting relation is in
// force. It fills the values that access judges, and re-decides a grant when
// a token is refreshed, introspected or used.
//
// It decides nothing itself and stores nothing.
package authority
