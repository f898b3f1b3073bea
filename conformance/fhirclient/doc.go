// Package fhirclient drives the public npm client of the same name against a
// freshly started server: a standalone and an EHR launch in Node, and a
// standalone launch in a real browser from the published bundle. The client
// is pinned by package-lock.json and is no code of ours.
//
// Neighbours: conformance/kit signs in where no browser is needed. It owns
// client.mjs and no requirement.
package fhirclient
