// Package catalogue is the list of what a SMART on FHIR server must do: one
// row for each requirement of SMART App Launch 2.2, of the United States
// regulation, UDAP, Bulk Data, permission tickets and proxies, of what
// enforcement must not leak, and of the patient compartment. Each row has an id
// that checks cite, how binding it is, and one line in our own words.
//
// Neighbours: conformance joins these rows with what its checks found. It owns
// no check and knows no server.
package catalogue
