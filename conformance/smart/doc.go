// Package smart holds the rows of SMART App Launch 2.2: discovery,
// capabilities, launch, authorization, PKCE, tokens, context, scopes, OpenID
// Connect and refresh.
//
// Neighbours: conformance/kit does the talking, conformance runs the rows. It
// owns no row about client authentication (conformance/oauth) or FHIR
// enforcement (conformance/security).
package smart

import "github.com/mandate-health/mandate/conformance/kit"

// Sections gives the rows of this package.
func Sections() []kit.Section {
	return []kit.Section{
		{Name: "SMART discovery", Rows: discovery()},
		{Name: "SMART user-access brands", Rows: brands()},
		{Name: "SMART capabilities", Rows: capabilities()},
		{Name: "SMART, what is said and what is done", Rows: listed()},
		{Name: "SMART authorization", Rows: authorize()},
		{Name: "SMART authorization, consent answers", Rows: answers()},
		{Name: "SMART PKCE", Rows: pkce()},
		{Name: "SMART EHR launch", Rows: ehrLaunch()},
		{Name: "SMART tokens", Rows: tokens()},
		{Name: "SMART EHR launch, context", Rows: ehrContext()},
		{Name: "SMART launch context", Rows: launchContext()},
		{Name: "SMART scopes", Rows: scopes()},
		{Name: "SMART scopes, reach", Rows: reach()},
		{Name: "SMART OpenID Connect", Rows: openID()},
		{Name: "SMART refresh", Rows: refresh()},
		{Name: "SMART app state", Rows: appState()},
		{Name: "SMART, what is experimental or open", Rows: beyond()},
		{Name: "Log-out by an app", Rows: logout()},
	}
}
