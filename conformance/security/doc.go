// Package security holds the rows about enforcement at the FHIR base: which
// interaction needs which letters, and the traps by which other patients' or
// ungranted data have leaked elsewhere; and those about log-ins and their sessions,
// by which people are impersonated.
//
// Neighbours: conformance/kit does the talking, conformance runs the rows. It
// owns no row about consents of people for people (conformance/consent).
package security

import "github.com/mandate-health/mandate/conformance/kit"

// Sections gives the rows of this package.
func Sections() []kit.Section {
	return []kit.Section{
		{Name: "FHIR enforcement, interactions", Rows: interactions()},
		{Name: "FHIR enforcement, levels and owned types", Rows: levels()},
		{Name: "FHIR, bulk data", Rows: bulk()},
		{Name: "FHIR, services of a group", Rows: group()},
		{Name: "FHIR, whose record it is", Rows: compartment()},
		{Name: "FHIR enforcement, traps of reading", Rows: reading()},
		{Name: "FHIR enforcement, traps of writing", Rows: writing()},
		{Name: "FHIR enforcement, form", Rows: form()},
		{Name: "FHIR, long answers", Rows: long()},
		{Name: "FHIR, corpus of leaks", Rows: corpus()},
		{Name: "Sessions and log-ins", Rows: sessions()},
	}
}
