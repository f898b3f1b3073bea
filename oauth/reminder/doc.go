// Package reminder tells people from time to time that apps keep access to
// records while they are away (SMART BP-01). The message says that there is
// something to look at; which apps those are is on the page of connected apps.
//
// Neighbours: the store lists whom to tell, internal/notify/outbox keeps and
// delivers the notice, cmd/app runs it as a job of one node. It owns no grant.
package reminder
