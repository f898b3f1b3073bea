// Package oauth holds the rows about clients: symmetric and asymmetric
// authentication, backend services, introspection, revocation, pushed and
// signed authorization requests, CORS and hostile input.
//
// Neighbours: conformance/kit does the talking, conformance runs the rows. It
// owns no row about people (conformance/smart, conformance/consent).
package oauth

import "github.com/mandate-health/mandate/conformance/kit"

// Sections gives the rows of this package.
func Sections() []kit.Section {
	return []kit.Section{
		{Name: "OAuth, clients with a secret", Rows: symmetric()},
		{Name: "OAuth, clients with a key", Rows: asymmetric()},
		{Name: "OAuth, keys at an address", Rows: published()},
		{Name: "OAuth, registration", Rows: append(registered(), registering()...)},
		{Name: "OAuth, clients described by a document", Rows: documents()},
		{Name: "OAuth, backend services", Rows: backend()},
		{Name: "OAuth, introspection", Rows: introspection()},
		{Name: "OAuth, decisions for resource servers (AuthZEN)", Rows: decisions()},
		{Name: "OAuth, revocation", Rows: revocation()},
		{Name: "OAuth, pushed requests", Rows: pushed()},
		{Name: "OAuth, signed requests", Rows: signed()},
		{Name: "OAuth, token exchange", Rows: append(exchange(), exchangeBound()...)},
		{Name: "OAuth, devices", Rows: devices()},
		{Name: "OAuth, stronger log-ins", Rows: stepUp()},
		{Name: "OAuth, tokens bound to a key (DPoP)", Rows: append(dpop(), dpopPushedRows()...)},
		{Name: "OAuth, TLS client certificates", Rows: certificates()},
		{Name: "OAuth, FAPI 2.0", Rows: fapi()},
		{Name: "OAuth, metadata", Rows: metadata()},
		{Name: "OAuth, CORS", Rows: cors()},
		{Name: "OAuth, hostile input", Rows: hostile()},
	}
}
