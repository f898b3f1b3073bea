// Package messages serves a person's own messages, and what they want to hear of
// those who help them. It promises that a message is told to its addressee alone:
// no address names one, the list is always that of whoever is signed in, and what
// is told of a case is told to its parties only.
//
// Neighbours: internal/notify/outbox keeps the notices, access/lifecycle leaves those
// about cases and says who is party to one. It owns no rule about what is told.
package messages
