// Package together asks, gently, somebody whose account two people seem to use
// whether they help the patient, and leads to an account of their own (SP-21, CO-01).
// It promises that nobody is locked out, that the page says what was seen, and that
// an answer of no is kept on the device for three months.
//
// Neighbours: identity/together holds the rules; the invitation is in web/pages/proxy.
package together
