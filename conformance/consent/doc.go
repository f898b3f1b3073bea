// Package consent holds the rows about people: what the consent page lets a
// patient choose, what a proxy gets, and that a consent that ends ends
// everything made from it.
//
// Neighbours: conformance/kit does the talking, conformance runs the rows. It
// reads consents through the administration API of a development server and
// owns no rule about what they permit.
package consent

import "github.com/mandate-health/mandate/conformance/kit"

// Sections gives the rows of this package. The later ones withdraw
// consents and let years pass.
func Sections() []kit.Section {
	return []kit.Section{
		{Name: "Consent, the patient's choice", Rows: choice()},
		{Name: "Consent, sign-in and pages", Rows: pages()},
		{Name: "Consent, proxies", Rows: proxies()},
		{Name: "Consent, acting for somebody", Rows: acting()},
		{Name: "Consent, endings", Rows: endings()},
		{Name: "Consents, how they are read", Rows: rules()},
		{Name: "Consents, from scopes to answers", Rows: tokens()},
		{Name: "Consents, how they come in", Rows: input()},
		{Name: "Consent, how long it lasts", Rows: renewal()},
	}
}
