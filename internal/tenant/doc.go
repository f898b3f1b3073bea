// Package tenant says which tenants a process serves beside the default one.
// A tenant is one issuer, one FHIR base, one upstream and one key set (D13). It
// promises that an id is safe in a path, a cookie name and a log, and that it
// never names two tenants.
//
// Neighbours: the store keeps the rows; cmd/app composes a tenant's parts and
// follows the rows while it runs. The default tenant has no row: it is set up by
// the command line and always there.
package tenant
