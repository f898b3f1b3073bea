// Package registration owns how a client comes to be registered, changes and
// goes. Its promise: every registration, by whatever way it arrives (dynamic
// registration, UDAP, an operator's file, command or API), passes one validator
// that tells all faults at once, and every act on the registry is stored with
// its audit event in one transaction (SMART REG-05).
//
// Neighbours: oauth owns the type Client; oauth/udap brings registrations by
// software statements; web/protocol, web/adminapi and cmd/app bring the others.
// What a client then gets is decided elsewhere.
package registration
