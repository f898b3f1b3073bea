// Package flight is a client's flight recorder: its last requests with their
// cause codes and what became of each scope, for the developer who asks why.
//
// It promises that no health data and no secret is in it: a record is made from
// the audit event of a request by naming what may be copied, never by leaving
// out what may not. It is an aid and no evidence: what a killed node had not yet
// stored, and what was more than a client's share, is only in the audit log.
//
// Neighbours: the store hands over each committed event; web/adminapi and the
// command line show records, with the explanation of web/problem.
package flight
