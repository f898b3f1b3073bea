package grant

import "github.com/mandate-health/mandate/oauth"

// Detail says for which FHIR server a token is good, and for what there (SMART
// TOK-15, RFC 9396). An app that talks to several servers under one answer reads
// it in place of the members beside the token.
type Detail struct {
	Type string `json:"type"`
	// Locations are FHIR base URLs.
	Locations    []string           `json:"locations"`
	FHIRVersions []string           `json:"fhirVersions"`
	Scope        string             `json:"scope,omitempty"`
	Patient      string             `json:"patient,omitempty"`
	Encounter    string             `json:"encounter,omitempty"`
	FHIRContext  []oauth.ContextRef `json:"fhirContext,omitempty"`
}

// fhirVersion is the one that the FHIR base speaks.
const fhirVersion = "4.0.1"

// details gives the one item, nil for a client that did not ask for it at its
// registration.
func (a *attempt) details() []Detail {
	if len(a.auth.Client.DetailsTypes) == 0 {
		return nil
	}
	c := a.blanks.Grant.Context
	return []Detail{{
		Type: oauth.DetailsSMART, Locations: []string{a.call.Site.FHIRBase}, FHIRVersions: []string{fhirVersion},
		Scope: a.scopes, Patient: c.Patient, Encounter: c.Encounter, FHIRContext: c.FHIRContext,
	}}
}
