// Package udap holds the rows about clients that are known by their certificate
// (HL7 FAST Security, UDP-*): metadata, registration by software statement,
// authentication, revocation and tiered log-in. Its checks issue certificates themselves, by the
// key of an authority that the server under test trusts.
//
// Neighbours: conformance/kit does the talking and issues, conformance runs the
// rows.
package udap

import "github.com/mandate-health/mandate/conformance/kit"

// Sections gives the rows of this package.
func Sections() []kit.Section {
	return []kit.Section{
		{Name: "UDAP, metadata", Rows: metadata()},
		{Name: "UDAP, trust", Rows: trust()},
		{Name: "UDAP, registration", Rows: registration()},
		{Name: "UDAP, tokens", Rows: tokens()},
		{Name: "UDAP, log-in elsewhere", Rows: tiered()},
	}
}
