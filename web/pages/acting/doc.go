// Package acting serves the choice of whose record somebody looks after, and tells
// every page as whom its reader acts. It promises that a change of capacity is a
// deliberate click, rotates the session and is recorded, and that somebody whose
// access has ended is told so instead of being turned into themself.
//
// Neighbours: identity turns the session, oauth/authority says who has access now, by
// the rules that decide about tokens. Being turned to somebody opens nothing.
package acting
