// Package matters serves what staff have to decide by a day: reviews of denials to
// people who stand in a patient's shoes, and disputes between people who help one
// patient. It promises that what is late stands first, and that nobody decides about
// what they did themself.
//
// Neighbours: access/matter has the rules, access/lifecycle the use-cases.
package matters
