// Package backchannel tells apps that a person signed out (OpenID Connect
// Back-Channel Logout 1.0). The end of a session leaves a job in its own
// transaction; from it one job follows for each app that has tokens of that
// session and registered an address, tried again until the app says that it
// heard: at least once. It promises that a logout token names the session, and
// nothing of the person but the subject that the app knows already.
//
// Neighbours: identity writes the first job, cmd/app drains both queues and hands
// in what signs and what may connect out. A session that ends by its time is told
// to nobody.
package backchannel
