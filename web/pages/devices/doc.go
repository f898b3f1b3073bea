// Package devices is the page on which people see where they are signed in and
// end single log-ins or all others (SE-17). It promises that what somebody ends
// is over on every node at once, with the tokens of that log-in, and that nobody
// ends the log-in of anybody else. A log-in elsewhere is let in from here by the number
// that is shown there, and by nothing less.
//
// Neighbours: identity.Service ends sessions; oauth.Connections ends what apps
// keep beyond a log-in.
package devices
