// Package journey walks the main job of Mandate in a real browser: people sign
// in, answer the consent page, look at the list of connected apps, end a
// connection, and the app is refused. Its tests start a fresh `mandate dev`
// each, drive headless Chromium over the screens, and look at every page as a
// tired person would: small window, large text, keyboard only, no script, a
// second language. Each test keeps pictures in artefacts/journey.
//
// Promise: what passes here works from outside. The package imports no room of
// Mandate; it knows the ready file, the addresses and what pages show.
//
// Not owned: the protocol in detail (conformance) and the public client
// library (conformance/fhirclient).
package journey
