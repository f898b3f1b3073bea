// Package jobs runs what a node does apart from requests: leader-only jobs,
// which one node of all does at a time (Runner.Leader), and a durable queue of
// work to be done later, at least once (Runner.Drain). It owns the port; both
// live in the store that all nodes share, the same on every engine (D4, D5).
// It knows no job: rooms and the composition root bring them.
package jobs
