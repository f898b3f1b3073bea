// Package journal keeps, outside of the store, what was revoked: a restored
// backup is older than its last revocations, and these must not come back. Its
// promise: when Append has returned, the entry is durable; a line that was
// changed, added or removed is noticed, and so is the loss of a segment or of
// its end as far as anything later or the backup names it.
//
// The form: a folder of append-only segment files. Each process writes one of
// its own, so that several nodes share a folder without locks. A line is one
// JSON value, a tab and an Ed25519 signature over the value, the name of the
// segment and the line before it. The first line names how far the other
// segments had come; beats tell until when nothing was missing. Entries hold
// ids only: no names, no health data, no tokens.
//
// Neighbours: store appends the revocations of a transaction before it is
// confirmed to the caller; cmd/app beats and replays. It knows no table.
package journal
