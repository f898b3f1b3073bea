// Package demo is what development shows Mandate with: the demo app "Heart
// Diary" at /app/ and a simulator of an EHR at /ehr/, served together on an
// origin of their own (D15). It promises that the app is an ordinary public
// SMART client without privileges, that it keeps no token or health data in
// the browser's storage, and that the simulator reaches Mandate over HTTP
// only, as a foreign system would.
//
// Neighbours: cmd/app gives it a listener, the clients' credentials and lists
// of patients and users, in development only; web/demo/screens shows Mandate's
// own pages with canned data. It imports no room.
//
// It owns no rule of the protocol: what a fault is answered with is Mandate's
// business, here is only what the specifications expect.
//
// Files: demo.go (Config, routes, headers), app.go (the app's page), ehr.go
// and register.go (the simulator), fault.go, fault_authorize.go,
// fault_token.go, fault_fhir.go and fault_pages.go ("Make something go
// wrong"), assets/app.js (the app itself).
package demo
