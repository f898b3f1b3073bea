// Package consent shows the steps of an authorization request that are not
// log-in: whose record, and what the app may see. It turns the values of
// oauth/flow into pages and forms back into values.
//
// Neighbours: oauth/flow decides each step, web/pages renders, web/session
// knows the browser. It owns no rule about what may be shared.
package consent
