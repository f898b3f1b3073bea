// Package words holds every sentence a person reads, in each language, and
// the words for codes: FHIR types, relationships, sensitive topics, scopes,
// dates and numbers. It promises that all languages have the same keys with the
// same placeholders, and that texts stay at reading level grade 8 or below.
//
// Neighbours: web/pages puts the sentences on screens, notices put them into
// messages. It imports no room, owns no rule and knows no scope grammar: a scope
// comes to it as plain parts.
package words
